"""What every kind of task keeps: with its sample, data/sample/KIND, it passes these tests without a line of its own."""

import shutil
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from pipeline.core.files import read_json
from pipeline.core.fingerprint import fingerprint, list_starts
from pipeline.core.modules import parse_package
from pipeline.core.stage import KINDS, STAGES, load, load_facet, read_declaration
from pipeline.core.tables import read_arrow
from pipeline.core.versions import locked_versions
from pipeline.finetune.fit import prepare_training
from pipeline.finetune.learning import as_read
from pipeline.models.attention import FLAT
from pipeline.models.compute import with_attention
from pipeline.models.device import choose_device
from pipeline.models.folder import build_model, load_model
from tests.given.kinds import FRONT, Sample, run_front

TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}


@pytest.fixture(scope="module", params=KINDS)
def sample(request, tmp_path_factory) -> Sample:
    return run_front(tmp_path_factory.mktemp(request.param), request.param)


def wanted_facets() -> Iterator[tuple[str, type]]:
    """Yield each facet that a stage asks for, with its type."""
    for stage in STAGES:
        run = load(stage)
        hints = typing.get_type_hints(run)
        for name, facet in read_declaration(run).facets:
            yield facet.name, typing.get_args(hints[name])[-1] if facet.every else hints[name]


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_has_each_facet_that_a_stage_asks_for(kind):
    for name, wanted in dict(wanted_facets()).items():
        assert isinstance(load_facet(kind, name), wanted)


def test_the_stages_run_on_the_sample(sample):
    assert all(sample.paths[name].exists() for stage in FRONT for name in read_declaration(load(stage)).outputs)
    history = read_json(sample.paths["history"])
    assert history["params"]["kind"] == sample.kind
    assert history["stopped"] in ("finished", "early")
    assert read_json(sample.paths["validation"])


def test_a_second_run_gives_the_same_bytes(sample, tmp_path):
    again = run_front(tmp_path, sample.kind)
    for name, path in again.paths.items():
        if path.is_file() and path.parent == tmp_path:
            assert path.read_bytes() == sample.paths[name].read_bytes(), name
    weights = "model.safetensors"
    assert (again.paths["model"] / weights).read_bytes() == (sample.paths["model"] / weights).read_bytes()


@pytest.mark.parametrize("attention", ["eager", FLAT])
def test_a_batch_gives_what_each_row_gives_alone(sample, attention):
    learning, table = load_facet(sample.kind, "learning"), read_arrow(sample.paths["tokens"])
    if attention == FLAT and "input_ids" not in table.column_names:
        pytest.skip("nothing is padded")
    model = load_model(sample.paths["model"], learning.head(table)).eval()
    rows, device = learning.rows(table, "train"), choose_device("fp32")
    count = sum(part == "train" for part in table["split"].to_pylist())
    with with_attention(model, attention), as_read(model, learning), torch.inference_mode():
        whole, *alone = (
            learning.objective.outputs(model, rows, torch.tensor(part).numpy(), device)
            for part in (range(count), *([row] for row in range(count)))
        )
    torch.testing.assert_close(whole, torch.cat(alone), **TOLERANCE)


def test_a_saved_model_is_a_stock_one(sample):
    learning, table = load_facet(sample.kind, "learning"), read_arrow(sample.paths["tokens"])
    head = learning.head(table)
    stock = head.model.from_pretrained(sample.paths["model"], local_files_only=True)
    ours = load_model(sample.paths["model"], head)
    assert type(stock) is type(ours)
    for (name, weight), (other, same) in zip(stock.state_dict().items(), ours.state_dict().items(), strict=True):
        assert name == other
        assert torch.equal(weight, same)


def test_a_training_that_is_killed_ends_with_the_same_bytes(sample):
    learning, table = load_facet(sample.kind, "learning"), read_arrow(sample.paths["tokens"])
    params = sample.params("finetune")
    train, validation = learning.rows(table, "train"), learning.rows(table, "validation")

    def learn(*, kill_after: int | None = None) -> dict[str, torch.Tensor]:
        state = None
        while True:
            model = build_model(sample.paths["encoder"], learning.head(table), dropout=params.dropout, seed=params.seed)
            with prepare_training(model, train, validation, params, learning) as (training, _):
                if state is not None:
                    training.restore(state)
                while not training.finished and (state is not None or training.done != kill_after):
                    training.advance()
                if training.finished:
                    training.result()
                    break
                state = training.state()
        return model.state_dict()

    whole, resumed = learn(), learn(kill_after=2)
    assert all(torch.equal(whole[name], weight) for name, weight in resumed.items())


def test_an_edit_of_a_kind_changes_the_fingerprints_of_no_other(tmp_path):
    package = tmp_path / "pipeline"
    shutil.copytree("pipeline", package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(package / "kinds/text_classification", package / "kinds/other")
    for path in (package / "kinds/other").glob("*.py"):
        path.write_text(path.read_text().replace("kinds.text_classification", "kinds.other"))
    versions = locked_versions(Path("requirements.lock").read_text(encoding="utf-8"))

    def identify() -> dict[tuple[str, str], str]:
        modules = parse_package(package)
        return {
            (stage, kind): fingerprint(modules, list_starts(modules, stage, kind), versions)
            for stage in ("ingest", "finetune", "study")
            for kind in ("text-classification", "other")
        }

    before = identify()
    learning = package / "kinds/other/learning.py"
    learning.write_text(learning.read_text().replace('"first token"', '"every token"'))
    after = identify()
    assert {key for key, value in before.items() if after[key] != value} == {("finetune", "other"), ("study", "other")}
