from typing import Any, NamedTuple

import pytest

from pipeline.core.document import Document
from pipeline.core.errors import DataError
from pipeline.examples.taking.corrections import CorrectedLabels
from pipeline.settings.corrections import Correction


def apply(corrections, *, ids="abc", labels=("ham", "ham", "spam"), classes=("ham", "spam")):
    items = {identity: Correction(label=label, correction=correction) for identity, label, correction in corrections}
    parse = {name: name for name in classes}.get
    whole = CorrectedLabels(items, parse)
    whole.check(file="c.csv", classes=classes)
    return Corrected(*whole.apply(list(ids), labels), whole.count())


class Corrected(NamedTuple):
    labels: list[Any]
    removed: set[int]
    counts: Document


def test_a_label_is_replaced_and_a_row_removed():
    corrected = apply([("a", "ham", "spam"), ("c", None, "-")])
    assert corrected.labels == ["spam", "ham", "spam"]
    assert corrected.removed == {2}
    assert corrected.counts == {"given": 2, "applied": 2, "removed": 1, "needless": 0, "stale": {"count": 0, "ids": []}}


def test_every_row_of_the_text_is_corrected_and_a_conflict_resolved():
    corrected = apply([("a", None, "spam")], ids="aab", labels=("ham", "spam", "ham"))
    assert corrected.labels == ["spam", "spam", "ham"]
    assert corrected.counts["applied"] == 1
    assert corrected.counts["needless"] == 0


def test_corrections_that_no_longer_fit_are_counted_and_not_applied():
    corrected = apply([("x", "ham", "spam"), ("c", "ham", "-"), ("b", "spam", "ham")])
    assert corrected.labels == ["ham", "ham", "spam"]
    assert corrected.removed == set()
    stale = {"count": 2, "ids": ["x", "c"]}
    assert corrected.counts == {"given": 3, "applied": 0, "removed": 0, "needless": 1, "stale": stale}


def test_a_class_may_be_called_like_the_mark_of_removal():
    corrected = apply([("a", "+", "-")], ids="a", labels=("+",), classes=("+", "-"))
    assert (corrected.labels, corrected.removed) == (["-"], set())


def test_a_correction_that_is_no_class_is_an_error():
    with pytest.raises(DataError, match=r"(?s)c\.csv: .*\b2\b.*'sam', 'spma' .*'a', 'b'.*'ham', 'spam'"):
        apply([("a", "ham", "spma"), ("b", None, "sam"), ("c", None, "ham")])


def test_rows_may_come_in_pieces():
    items = {"a": Correction(label="ham", correction="spam"), "b": Correction(label=None, correction="-")}
    pieces = CorrectedLabels(items, {"ham": "ham", "spam": "spam"}.get)
    assert pieces.apply(["a", "x"], ["ham", "ham"]) == (["spam", "ham"], set())
    assert pieces.apply(["b", "a", "b"], ["ham", "spam", None]) == (["ham", "spam", None], {0, 2})
    assert pieces.count() == {
        "given": 2, "applied": 2, "removed": 2, "needless": 0, "stale": {"count": 0, "ids": []},
    }  # fmt: skip
