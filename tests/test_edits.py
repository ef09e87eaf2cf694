"""Which stages run after an edit, by real `dvc repro`: each test edits a copy of its own of what has run once."""

import pytest

from tests.given.clones import CELLS, PRETRAINING, Clone, both, cells, of, prepare


@pytest.fixture
def clone(shared, python, tmp_path) -> Clone:
    return prepare(shared, python)[0].copy(tmp_path / "copy")


def test_a_comment_runs_the_fingerprints_alone(clone):
    clone.edit("pipeline/models/tokenizer.py", "from pathlib", "# a comment\nfrom pathlib")
    assert clone.repro() == ({"code"}, set())


def test_the_logic_of_a_module_runs_its_stages_and_what_follows_where_the_result_is_another(clone):
    clone.edit("pipeline/models/tokenizer.py", "CHARS_PER_TOKEN = 64", "CHARS_PER_TOKEN = 65")
    clone.edit("pipeline/linear/features.py", "sublinear_tf=True", "sublinear_tf=False")
    equal = {*both("tokenize"), *cells("study"), *cells("rival")}  # nothing follows
    assert clone.repro() == ({"code", *equal, *both("baseline", "inspect", "evaluate"), "report"}, set())


def test_one_parameter_of_one_stage_runs_it_and_what_follows(clone):
    clone.edit("params.yaml", "bins: 10", "bins: 9")
    ran, restored = clone.repro()
    assert ran == {"params", *both("evaluate"), "report"}
    assert not restored


def test_an_override_touches_its_task_alone_and_its_revert_trains_nothing(clone):
    before = clone.lock()
    clone.edit("params.yaml", "      epochs: 1", "      epochs: 2")
    ran, restored = clone.repro()
    assert ran == {"params", *of("topics", "finetune", "calibrate", "evaluate"), "report"}
    assert not restored
    clone.edit("params.yaml", "      epochs: 2", "      epochs: 1")
    ran, restored = clone.repro()
    # DVC keeps no runs of stages with a `cache: false` output that is neither a metric nor a plot.
    assert ran == {"params", "calibrate@topics", "report"}
    assert restored == of("topics", "finetune", "evaluate")
    assert clone.lock() == before


def test_a_threshold_trains_nothing(clone):
    clone.edit("params.yaml", "abstain:", "abstain: {coverage: 0.5}")
    assert clone.repro() == ({"params", *both("calibrate", "evaluate"), "report"}, set())


def test_a_row_added_to_one_task_runs_that_task_alone(clone):
    raw = clone.root / "data/raw/sample/reviews.csv"
    sides = splits(clone, "reviews")
    clone.dvc("unprotect", "data/raw/sample")
    with raw.open("a", encoding="utf-8") as stream:
        stream.write("a wholly new sentence about a warm film,positive,film\n")
    clone.dvc("commit", "--force", "fetch@sample")
    ran, restored = clone.repro()
    # its file is a text of the corpus too
    # and `transfer` runs where a cell answers otherwise for it
    assert ran - {"transfer"} == of("reviews") | PRETRAINING | CELLS | {"report"}
    assert not restored
    after = splits(clone, "reviews")
    assert len(after) == len(sides) + 1
    assert {key: after[key] for key in sides} == sides


def test_a_further_seed_runs_its_own_cells_alone(clone):
    clone.edit("params.yaml", "- 0\n  finetune", "- 0\n  - 1\n  finetune")
    ran, restored = clone.repro()
    assert ran == {"params", *cells("rival", 1), *cells("study", 1), "transfer", "report"}
    assert not restored


def test_a_parameter_of_pretraining_runs_it_and_what_hangs_on_it(clone):
    clone.edit("params.yaml", "steps: 4", "steps: 5")
    assert clone.repro() == ({"params", "pretrain@own", "report"}, set())
    clone.edit(
        "params.yaml",
        "topics:\n    kind: text-classification\n    encoder: raw/tiny",
        "topics:\n    kind: text-classification\n    encoder: encoder/own",
    )
    dependent = of("topics", "tokenize", "extract", "baseline", "finetune", "calibrate", "evaluate")
    assert clone.repro("evaluate@topics") == ({"params", *dependent}, set())


def splits(clone: Clone, task: str) -> dict[str, str]:
    import pyarrow.parquet as pq

    table = pq.read_table(clone.root / f"data/examples/{task}.parquet")
    return dict(zip(table["id"].to_pylist(), table["split"].to_pylist(), strict=True))
