import gc
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipeline import CPU
from pipeline.core.errors import UsageError
from pipeline.core.stage import (
    KINDS,
    STAGES,
    Facet,
    Gate,
    In,
    Out,
    bind_facets,
    load,
    read_declaration,
    stage_params,
)
from pipeline.finetune.learning import Learning
from pipeline.settings.shared.classes import ClassifierParams
from pipeline.settings.shared.kind import Settings
from pipeline.settings.task import FinetuneParams, ReportParams, TokenizeParams
from tests.given.settings import read, resolve_params

TOKENIZE = {"task": "t", "max_length": 8, "batch_texts": 2, "max_unknown_share": 0.05}


def test_a_signature_is_a_declaration():
    def run(params: TokenizeParams, *, examples: In, findings: Gate, more: In | None = None, tokens: Out) -> None: ...

    assert read_declaration(run) == (TokenizeParams, ("examples", "findings", "more"), ("tokens",), ("more",), ())


def test_a_signature_asks_for_facets():
    def run(
        params: FinetuneParams, kind: Learning, kinds: Mapping[str, Settings], *, tokens: In, model: Out
    ) -> None: ...

    declared = read_declaration(run)
    assert declared.facets == (("kind", Facet("learning", every=False)), ("kinds", Facet("settings", every=True)))
    bound = bind_facets(declared, "text-classification")
    assert isinstance(bound["kind"], Learning)
    assert list(bound["kinds"]) == list(KINDS)
    for kind in (None, "text"):
        with pytest.raises(UsageError, match="kind"):
            bind_facets(declared, kind)


def test_the_section_of_a_task_is_of_the_class_of_its_kind():
    resolved = resolve_params(read("params.yaml"), {})
    params, kind = stage_params(resolved, "finetune", "spam", FinetuneParams)
    assert kind == params.kind == "text-classification"
    assert isinstance(params, ClassifierParams)


def test_another_shape_is_refused():
    def returns(*, tokens: Out) -> int: ...

    def positional(params: TokenizeParams, tokens: Out) -> None: ...

    def text(*, name: str) -> None: ...

    def without_default(*, examples: In | None, tokens: Out) -> None: ...

    def not_written(*, examples: In, tokens: Out | None) -> None: ...

    for run in (returns, positional, text, without_default, not_written):
        with pytest.raises(TypeError, match="stage"):
            read_declaration(run)


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_has_the_shape_and_a_first_line(stage):
    run = load(stage)
    declaration = read_declaration(run)
    assert declaration.outputs
    assert run.__doc__
    assert sys.modules[run.__module__].__doc__.startswith(f"{stage}: ")


def test_the_section_of_a_name_is_typed():
    assert stage_params({"tokenize": {"t": TOKENIZE}}, "tokenize", "t", TokenizeParams) == (
        TokenizeParams(**TOKENIZE),
        None,
    )
    report = {"title": "T", "worst": 3, "tasks": ["t"], "kinds": {}, "encoders": [], "cards": {}}
    assert stage_params({"report": report}, "report", None, ReportParams)[0].tasks == ("t",)


@pytest.mark.parametrize(
    ("stage", "name", "words"),
    [
        ("tokenize", None, r"missing.*\bt\b"),
        ("report", "t", "'t'"),
        ("tokenize", "x", r"'x'.*\bt\b"),
    ],
)
def test_a_wrong_name_is_a_usage_error(stage, name, words):
    with pytest.raises(UsageError, match=words):
        stage_params({"tokenize": {"t": TOKENIZE}, "report": {}}, stage, name, TokenizeParams)


def test_resolved_params_that_do_not_fit_are_a_usage_error():
    with pytest.raises(UsageError, match=r"max_length.*Run `dvc repro`"):
        stage_params({"tokenize": {"t": {**TOKENIZE, "max_length": 1}}}, "tokenize", "t", TokenizeParams)


@pytest.mark.parametrize("resolved", [{}, {"tokenize": []}, {"tokenize": None}, [], None, "tokenize"])
@pytest.mark.parametrize("name", [None, "t"])
def test_resolved_params_without_the_stage_are_a_usage_error(resolved, name):
    with pytest.raises(UsageError, match=r"'tokenize'.*Run `dvc repro`"):
        stage_params(resolved, "tokenize", name, TokenizeParams)


def test_starting_a_light_stage_loads_no_heavy_library():
    program = """
import sys, pipeline.__main__, pipeline.stages.params
print({'torch', 'pandas', 'sklearn'} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert done.stdout.strip() == "set()"


def test_loading_a_stage_leaves_the_collection_of_garbage_as_it_was():
    gc.unfreeze()
    load("params")
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0  # nor is what was loaded looked through again


def set_by_the_package(variable: str, given: dict[str, str], shown: str = "os.environ.get(sys.argv[1])") -> str:
    """Return a variable, or the value of `shown`, in a process with variables `given` that imports the package."""
    environment = {key: value for key, value in os.environ.items() if key != variable}
    code = f"import os, sys, pipeline, scipy.linalg; from threadpoolctl import threadpool_info; print({shown})"
    return subprocess.run(
        [sys.executable, "-c", code, variable], env={**environment, **given}, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.mark.parametrize(("given", "expected"), [({}, "passive"), ({"OMP_WAIT_POLICY": "active"}, "active")])
def test_threads_that_wait_sleep_unless_the_environment_says_otherwise(given, expected):
    assert set_by_the_package("OMP_WAIT_POLICY", given) == expected


@pytest.mark.parametrize(
    ("given", "expected"), [({}, 1), ({"OMP_NUM_THREADS": "3"}, 1), ({"OPENBLAS_NUM_THREADS": "2"}, 2)]
)
def test_numpy_and_scipy_multiply_on_one_thread_unless_the_environment_says_otherwise(given, expected):
    threads = "{pool['num_threads'] for pool in threadpool_info() if pool['internal_api'] == 'openblas'}"
    assert set_by_the_package("OPENBLAS_NUM_THREADS", given, threads) == str({expected})


@pytest.mark.skipif(not CPU.is_file() or "avx2" not in CPU.read_text().split(), reason="the kernels need AVX2")
@pytest.mark.parametrize(
    ("given", "expected"), [({}, "Haswell"), ({"OPENBLAS_CORETYPE": "Sandybridge"}, "Sandybridge")]
)
def test_numpy_and_scipy_multiply_by_one_set_of_kernels_unless_the_environment_says_otherwise(given, expected):
    kernels = "{pool['architecture'] for pool in threadpool_info() if pool['internal_api'] == 'openblas'}"
    assert set_by_the_package("OPENBLAS_CORETYPE", given, kernels) == str({expected})
