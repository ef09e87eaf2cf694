import numpy as np
import pyarrow as pa
import pytest

from pipeline.core.errors import DataError
from pipeline.core.tables import describe
from pipeline.kinds.text_classification.learning import LEARNING
from pipeline.search.answers import compare_on_test, predict_test
from tests.given.searches import write_tokens

ACTUAL = np.random.default_rng(0).integers(0, 2, 400)


def answers(share, seed, *, ids=None):
    """Return answers of which about a share are right."""
    wrong = np.random.default_rng(seed).random(len(ACTUAL)) > share
    columns = {"id": ids or [f"id{row}" for row in range(len(ACTUAL))], "label": ACTUAL, "predicted": ACTUAL ^ wrong}
    return describe(pa.table(columns), task="t", labels=("no", "yes"))


def test_the_difference_is_that_of_the_accuracies_over_seeds():
    default, chosen = ([answers(share, 10 * at + seed) for seed in range(3)] for at, share in enumerate((0.6, 0.9)))
    test = compare_on_test(default, chosen, confidence=0.95)
    right = [np.mean([table["predicted"].to_numpy() == ACTUAL for table in side]) for side in (default, chosen)]
    assert test["difference"] == pytest.approx(right[1] - right[0])
    assert test["default"]["accuracy"] == pytest.approx(right[0])
    assert test["low"] < test["difference"] < test["high"]
    assert (test["rows"], test["outcome"]) == (400, "real gain")
    assert compare_on_test(chosen, default, confidence=0.95)["outcome"] == "real loss"
    assert compare_on_test(chosen, chosen, confidence=0.95)["difference"] == 0


def test_other_rows_are_refused():
    other = answers(0.9, 1, ids=[f"other{row}" for row in range(len(ACTUAL))])
    with pytest.raises(DataError):
        compare_on_test([answers(0.9, 0)], [other], confidence=0.95)


def test_without_a_model_there_are_no_answers(tmp_path):
    table = predict_test(None, LEARNING, write_tokens(tmp_path / "t.arrow"))
    assert table.num_rows == 0
    assert table.column_names == ["id", "label", "predicted"]
