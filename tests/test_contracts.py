"""dvc.yaml, params.yaml, the modules and their signatures say the same."""

import ast
import inspect
import re
import typing
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.core.stage import STAGES, WHOLE, Gate, In, load, read_declaration
from pipeline.settings.parse import parse_params
from pipeline.settings.pretrain import CorpusParams, PretrainParams, TextParams
from pipeline.settings.resolve import resolve_params
from pipeline.settings.study import Arm, Rival, Study
from pipeline.settings.task import PER_TASK, BaselineParams

TEXT = Path("params.yaml").read_text(encoding="utf-8")
DVC: dict[str, Any] = YAML(typ="safe", pure=True).load(Path("dvc.yaml").read_text(encoding="utf-8"))
RESOLVED = ("code", "params")
BESIDES = ("corpus", "pretrain", "study", "report")  # sections that are not a task's


def entry(stage: str) -> dict[str, Any]:
    found: dict[str, Any] = DVC["stages"][stage]
    return found.get("do", found)


def words(stage: str) -> list[str]:
    return str(entry(stage)["cmd"]).split()


def options(stage: str) -> dict[str, str]:
    """Return `{option: path}` in the order of the command."""
    found = words(stage)
    return {
        word[2:]: found[place + 1] for place, word in enumerate(found) if word.startswith("--") and word != "--params"
    }


def paths(stage: str, *kinds: str) -> list[str]:
    listed = [item for kind in kinds for item in entry(stage).get(kind, [])]
    return [item if isinstance(item, str) else next(iter(item)) for item in listed]


def test_every_stage_has_an_entry_and_a_module():
    assert tuple(DVC["stages"]) == STAGES
    assert {path.stem for path in Path("pipeline/stages").glob("*.py")} == {*STAGES, "__init__"}


@pytest.mark.parametrize("stage", STAGES)
def test_the_command_names_what_the_signature_declares_in_order(stage):
    declared = read_declaration(load(stage))
    assert list(options(stage)) == [*declared.inputs, *declared.outputs]
    assert words(stage)[:4] == ["python", "-m", "pipeline", stage]
    assert ("--params" in words(stage)) == (declared.params is not None) == (stage not in RESOLVED)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_reads_each_input_and_no_gate(stage):
    run = load(stage)
    kinds = typing.get_type_hints(run, include_extras=True)
    body = ast.parse(inspect.getsource(run)).body[0].body
    read = {node.id for statement in body for node in ast.walk(statement) if isinstance(node, ast.Name)}
    for name in read_declaration(run).inputs:
        assert kinds[name] in (In, Gate)
        assert (name in read) == (kinds[name] == In), name


def test_resolving_depends_on_its_code():
    assert entry("params")["params"] == [{"data/code.json": ["params"]}]


@pytest.mark.parametrize("stage", STAGES)
def test_deps_are_the_inputs_and_outs_the_outputs(stage):
    declared, given = read_declaration(load(stage)), options(stage)
    outs = paths(stage, "outs", "metrics", "plots")
    assert sorted(outs) == sorted(given[name] for name in declared.outputs)
    deps = paths(stage, "deps")
    for name in declared.inputs:
        assert any(dep == given[name] or dep.startswith(f"{given[name]}/") for dep in deps), name
    for dep in deps:
        assert any(dep == given[name] or dep.startswith(f"{given[name]}/") for name in declared.inputs), dep


@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage not in RESOLVED])
def test_a_stage_depends_on_its_own_section_and_its_own_code(stage):
    per_name = bool({"foreach", "matrix"} & set(DVC["stages"][stage]))
    name = "item" if stage == "track" else "key"  # the others are for each key of a map
    section = f"{stage}.${{{name}}}" if per_name else stage
    assert entry(stage)["params"] == [{"data/params.json": [section]}, {"data/code.json": [stage]}]
    assert per_name == (stage not in WHOLE)


def test_only_names_are_templated_into_commands():
    for stage in STAGES:
        assert set(re.findall(r"\$\{([^}]*)\}", entry(stage)["cmd"])) <= {
            "key",
            "item",
            "encoder",
            "item.base",
            "item.task",
            "item.arm",
            "item.encoder",
        }


def test_every_section_is_a_stages_and_every_key_is_commented():
    plain, lines = parse_params(TEXT)
    assert list(plain) == [
        "encoder", "fetch", *PER_TASK, *BESIDES, "track", "sources", "encoders", "tasks",
    ]  # fmt: skip
    source = TEXT.splitlines()
    for path, number in lines.items():
        stage, _, key = path.partition(".")
        if key and "." not in key and stage in (*PER_TASK, *BESIDES, "fetch"):
            assert " # " in source[number - 1], f"{path} has no comment"


def test_every_numeric_key_has_its_range_in_the_comment():
    plain, lines = parse_params(TEXT)
    source = TEXT.splitlines()
    for stage in (*PER_TASK, *BESIDES, "fetch"):
        for key, value in plain[stage].items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                comment = source[lines[f"{stage}.{key}"] - 1].partition(" # ")[2]
                assert re.search(r"\d to \S|[\[(]\d\S*, \S+[\])]", comment), f"{stage}.{key}: {comment!r}"


INSPECT_TAKES_OVER = {*BaselineParams.model_fields, "near_similarity", "near_shingle"}


def test_a_section_holds_the_keys_its_class_reads():
    plain, _ = parse_params(TEXT)
    given_elsewhere = {"task", "file", "reference", "corrected"}
    for stage, model in PER_TASK.items():
        elsewhere = given_elsewhere | (INSPECT_TAKES_OVER if stage == "inspect" else set())
        assert set(plain[stage]) == set(model.model_fields) - elsewhere, stage
    assert set(plain["pretrain"]) == set(PretrainParams.model_fields) - {"encoder", "base"}
    texts = (set(CorpusParams.model_fields) - {"protected"}) | (set(TextParams.model_fields) - {"file"})
    assert set(plain["corpus"]) == texts
    assert resolve_params(TEXT, {})


def test_the_study_holds_the_keys_its_classes_read():
    study = parse_params(TEXT)[0]["study"]
    assert set(study) == set(Study.model_fields)
    for group, model in (("arms", Arm), ("rivals", Rival)):
        assert all(set(one) == set(model.model_fields) for one in study[group].values())


def test_only_what_is_a_name_is_an_axis_of_the_matrix():
    for stage in ("rival", "study"):
        assert list(DVC["stages"][stage]["matrix"]) == ["task", "arm", "labels", "seed"]
