"""The whole pipeline by real `dvc repro` on the sample: its results, a second run, and another path."""

import json
import shutil

import pytest

from tests.given.clones import EVERYTHING, STUDY, Clone, build, of, prepare, settings
from tests.given.settings import read


@pytest.fixture(scope="module")
def clone(shared, python) -> Clone:
    return prepare(shared, python)[0]


def test_the_first_run_runs_everything(shared, python):
    assert prepare(shared, python)[1] == EVERYTHING


def test_everything_is_there_and_reads_back(clone):
    metrics = json.loads((clone.root / "data/metrics/reviews.json").read_text())
    assert 0 <= metrics["accuracy"] <= 1
    page = (clone.root / "data/report.html").read_text()
    assert "reviews" in page
    assert "topics" in page
    shown = json.loads(clone.dvc("metrics", "show", "--json"))
    assert shown[""]["data"]["data/metrics/reviews.json"]["data"]["accuracy"] == metrics["accuracy"]
    plots = clone.dvc("plots", "show", "--json")
    assert '"predicted"' in plots
    assert '"train_loss"' in plots
    for live in ("finetune/reviews/train/loss", "pretrain/own/validation/perplexity"):
        assert f"data/live/{live}.tsv" in json.loads(plots)["data"]
    assert "errors" not in json.loads(plots)
    assert not list(clone.root.rglob("*.partial"))


def test_a_clone_on_another_path_gives_the_same_bytes(clone, packed, python, tmp_path):
    cold = build(tmp_path / "another path", *packed)
    cold.dvc("repro", "extract@topics")  # by the plain python
    other = Clone(cold.root, cold.wheels, python)
    other.dvc("repro", "evaluate@topics")  # each kind of stage
    with (other.root / "data/raw/.gitignore").open("a") as stream:  # DVC's own: its order is that of the stages' ends
        stream.write("/tiny\n")
    # The same once more is not computed.
    restored = of("reviews", "tokenize", "extract", "baseline", "inspect", "finetune", "evaluate")
    restored |= STUDY - {"transfer"} | {"pretrain@own", "inspect@topics"}
    shutil.copytree(clone.root / ".dvc/cache", other.root / ".dvc/cache", dirs_exist_ok=True)
    assert other.repro() == (of("reviews") - restored | {"corpus", "transfer", "report"}, restored)
    # The checksum of every output: examples, tokens, weights, page.
    found, expected = other.locked(), clone.locked()
    assert {name: entry for name, entry in found.items() if entry != expected.get(name)} == {}
    assert found.keys() == expected.keys()
    assert other.lock().count("  md5: ") > 50


def test_nothing_changed_runs_nothing(clone, tmp_path):
    assert clone.copy(tmp_path / "copy").repro() == (set(), set())


def test_without_the_profile_only_the_page_is_made_again_and_says_nothing_of_a_study(clone, packed, tmp_path):
    copy = clone.copy(tmp_path / "copy")
    (copy.root / "params.yaml").write_text(settings(packed[1], read("params.yaml")), encoding="utf-8")
    (copy.root / "dvc.yaml").write_text(read("dvc.yaml"), encoding="utf-8")
    assert copy.repro() == ({"params", "report"}, set())
    for name in ("report.html", "report.md"):
        with_study, alone = ((root / "data" / name).read_text(encoding="utf-8") for root in (clone.root, copy.root))
        for words in ("by number of labels", "Pretrained encoders"):
            assert words in with_study
            assert words not in alone
