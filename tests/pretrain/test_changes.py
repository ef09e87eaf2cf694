import json

import pytest

from pipeline.core.errors import DataError
from pipeline.pretrain.changes import ChangeCount, judge_changes
from pipeline.settings.pretrain import CorpusParams
from tests.given.settings import resolve_params, study_params

COMMON = resolve_params(study_params(), {})["corpus"]
DOCUMENTS = [
    ["plain", " blanks "],
    ["Cafe\u0301", "a\x00b"],
    ["don\x92t", "don\u00e2\u20ac\u2122t"],
    ["lost \ufffd", "again\x92 and\x92 again"],
]


def params(*, broken: float = 1.0, changed: float = 1.0) -> CorpusParams:
    return CorpusParams.model_validate_json(
        json.dumps({**COMMON, "max_broken_share": broken, "max_changed_share": changed})
    )


def watched(documents: list[list[str]], file: str = "raw/a.txt") -> ChangeCount:
    count = ChangeCount(file)
    assert list(count.watch(documents)) == documents
    return count


def test_each_sentence_counts_once_a_kind() -> None:
    count = watched(DOCUMENTS)
    assert count.sentences == 8
    assert count.counts == {"broken": 2, "misread": 2, "controls": 3, "normalised": 1}
    assert count.documents == {"broken": [3, 4], "misread": [3, 4], "controls": [2, 3, 4], "normalised": [2]}


def test_five_documents_are_named() -> None:
    count = watched([["\ufffd", "\ufffd"]] * 9)
    assert (count.counts["broken"], count.documents["broken"]) == (18, [1, 2, 3, 4, 5])


def test_shares_up_to_the_limits_pass() -> None:
    changes = {"a": watched(DOCUMENTS), "none": watched([])}
    assert judge_changes(changes, params(broken=0.25, changed=0.375)) == []


def test_changes_warn_and_broken_texts_stop() -> None:
    changes = {"a": watched(DOCUMENTS), "b": watched([["a\x00"]], "raw/b.txt")}
    controls, other = judge_changes(changes, params(changed=0.37))
    assert controls.startswith("raw/a.txt: ")
    assert all(fact in controls for fact in ("37.00%", "3 of 8", "documents 2, 3, 4", "`corpus.max_changed_share`"))
    assert other.startswith("raw/b.txt: ")
    with pytest.raises(DataError) as error:
        judge_changes({**changes, "same file": watched([["\ufffd"]])}, params(broken=0.24))
    first, second, third = str(error.value).splitlines()
    assert all(fact in first for fact in ("raw/a.txt", "2 of 8", "documents 3, 4", "`corpus.max_broken_share`"))
    assert "raw/a.txt" in second
    assert third.startswith("raw/a.txt: ")
    assert "1 of 1" in third
