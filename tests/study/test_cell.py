import json

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import accuracy_score, f1_score

from pipeline.core.errors import DataError, UsageError
from pipeline.core.tables import described
from pipeline.settings.fields import Section
from pipeline.study.budget import budget
from pipeline.study.cell import NO_TRAINING, Effort, document, indices


def examples(rows=90, *, order=None):
    """A task of two classes: two thirds train, the rest validation and test by halves."""
    places = list(range(rows)) if order is None else order
    table = pa.table(
        {
            "id": [f"id{at:03}" for at in places],
            "split": [("train", "train", "train", "train", "validation", "test")[at % 6] for at in places],
            "text": [f"{'good' if at % 2 else 'bad'} film {at}" for at in places],
            "label": ["yes" if at % 2 else "no" for at in places],
            "row": pa.array(places, pa.int64()),
        }
    )
    return described(table, task="t", labels=("no", "yes"))


class Cell(Section):
    task: str = "t"
    arm: str = "a"
    labels: int = 10
    seed: int = 0


def test_a_cell_sees_its_labels_as_many_of_validation_at_most_and_the_whole_test_split():
    sizes = {
        labels: [len(part.ids) for part in budget(examples(), labels=labels, seed=0)[1:]] for labels in (4, 20, "all")
    }
    assert sizes == {4: [4, 4, 15], 20: [20, 15, 15], "all": [60, 15, 15]}


def test_train_rows_come_from_train_alone():
    found = budget(examples(), labels="all", seed=0)
    table = examples()
    split = dict(zip(table["id"].to_pylist(), table["split"].to_pylist(), strict=True))
    for name in ("train", "validation", "test"):
        assert {split[key] for key in getattr(found, name).ids} == {name}


def test_the_order_of_the_rows_does_not_matter():
    mixed = np.random.default_rng(0).permutation(90).tolist()
    one, other = (budget(table, labels=12, seed=1) for table in (examples(), examples(order=mixed)))
    for part, same in zip(one[1:], other[1:], strict=True):
        assert part.ids == same.ids
        assert part.texts == same.texts
        assert part.classes.tolist() == same.classes.tolist()


def test_more_labels_than_there_are_is_refused():
    with pytest.raises(UsageError, match="61 labels"):
        budget(examples(), labels=61, seed=0)


def test_the_document_holds_scikit_learns_metrics_and_every_answer():
    given = budget(examples(), labels=10, seed=0)
    predicted = np.arange(15) % 2
    found = document(Cell(), given, predicted, Effort(7, 900))
    assert found == json.loads(json.dumps(found))
    assert found["accuracy"] == pytest.approx(accuracy_score(given.test.classes, predicted))
    assert found["macro_f1"] == pytest.approx(f1_score(given.test.classes, predicted, average="macro"))
    assert indices(found["predicted"], classes=2, rows=15).tolist() == predicted.tolist()
    assert indices(found["actual"], classes=2, rows=15).tolist() == given.test.classes.tolist()
    assert (found["steps"], found["tokens"]) == (7, 900)
    assert document(Cell(), given, predicted, NO_TRAINING)["steps"] == 0


@pytest.mark.parametrize("words", ["0 1", "0 1 2", "0 x 1", "", "0 -1 1"])
def test_damaged_answers_are_refused(words):
    with pytest.raises(DataError, match="dvc repro"):
        indices(words, classes=2, rows=3)
