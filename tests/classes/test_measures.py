from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.classes.measures import score_classes, tabulate_classes
from pipeline.core.errors import DataError
from pipeline.core.tables import describe, labels_of, task_of

PARAMS: Any = SimpleNamespace(bins=10)


def examples(labels: list[Any], names: tuple[str, ...] = ("ham", "spam")) -> pa.Table:
    columns = {"id": [f"id{row}" for row in range(len(labels))], "label": labels}
    return describe(pa.table(columns), task="toy", labels=names)


def test_predictions_have_a_row_for_each_example() -> None:
    found = tabulate_classes(examples([1, 0]), pa.array([[0.5, 0.5], [0.25, 0.75]]), {})
    assert (task_of(found), labels_of(found)) == ("toy", ("ham", "spam"))
    assert found.schema.types == [pa.string(), pa.int64(), pa.int64(), pa.list_(pa.float64())]
    assert found.to_pydict() == {
        "id": ["id0", "id1"],
        "label": [1, 0],
        "predicted": [0, 1],  # of equals the first
        "probabilities": [[0.5, 0.5], [0.25, 0.75]],
    }


@pytest.mark.parametrize(
    ("label", "shown"),
    [([0, 1, 2], "1.*2"), ([0, 1, -1], "1.*-1"), ([0, 1, None], "1.*None"), (["ham"] * 3, "3.*'ham'")],
)
def test_a_label_that_is_no_class_index_is_refused(label: list[Any], shown: str) -> None:
    with pytest.raises(DataError, match=rf"toy: label: {shown.replace('.*', ' rows .* 0 to 1.*')}"):
        tabulate_classes(examples(label), pa.array([[0.5, 0.5]] * 3), {})


@given(st.permutations(range(3)), st.integers(0, 10**6))
def test_the_order_of_the_classes_of_an_older_model_does_not_matter(order: list[int], seed: int) -> None:
    rng, names = np.random.default_rng(seed), ("a", "b", "c")
    probabilities = rng.dirichlet(np.ones(3), 7)
    truths = tabulate_classes(examples(rng.integers(3, size=7).tolist(), names), pa.array(list(probabilities)), {})
    own = tuple(names[at] for at in order)
    answers = tabulate_classes(examples([0] * 7, own), pa.array(list(probabilities[:, order])), {})
    same, found = score_classes(truths, truths, PARAMS), score_classes(truths, answers, PARAMS)
    assert (found.predicted == same.predicted).all()
    assert found.losses == pytest.approx(same.losses)
    assert found.squares == pytest.approx(same.squares)


def test_a_class_that_only_the_answers_know_is_wrong_everywhere() -> None:
    truths = tabulate_classes(examples([0, 1]), pa.array([[0.9, 0.1], [0.1, 0.9]]), {})
    answers = tabulate_classes(examples([0, 0], ("new", "ham")), pa.array([[0.8, 0.2], [0.3, 0.7]]), {})
    found = score_classes(truths, answers, PARAMS)
    assert (found.classes, found.predicted.tolist(), found.right.tolist()) == (3, [2, 0], [False, False])
    assert found.losses[0] == pytest.approx(-np.log(0.2))
