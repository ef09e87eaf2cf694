import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.document import json_text
from pipeline.core.errors import EnvironmentFault, UsageError
from pipeline.core.files import read_json, sha256
from pipeline.linear.saved import (
    LINEAR_MANIFEST,
    WEIGHTS,
    NgramWeights,
    SavedLinear,
    find_linear_kind,
    read_linear,
    write_linear,
)

LABELS = ("a", "b")
TERMS = st.lists(st.text(st.characters(exclude_categories=("Cs",))), unique=True, max_size=9)


def make_linear(terms=("bad film", "good"), kind="text-classification"):
    idf = np.linspace(1, 2, len(terms))
    return SavedLinear(
        kind,
        "classes",
        "tfidf",
        "words",
        [0.5],
        [NgramWeights("words", 2, [*terms], idf)],
        {"w": np.eye(3, order="F")[:2]},
    )


@given(terms=TERMS)
def test_what_is_read_is_what_was_written(tmp_path_factory, terms):
    folder, saved = tmp_path_factory.mktemp("linear") / "t", make_linear(terms)
    write_linear(folder, saved, task="t", labels=LABELS)
    found = read_linear(folder)
    assert (found.task, found.labels, find_linear_kind(folder)) == ("t", LABELS, saved.kind)
    assert found.saved[:5] == saved[:5]
    ((part,), (own,)) = found.saved.ngrams, saved.ngrams
    assert part[:3] == own[:3]
    assert part.idf.tobytes() == own.idf.tobytes()
    assert {*found.saved.arrays} == {"w"}
    assert (found.saved.arrays["w"] == saved.arrays["w"]).all()


def test_equal_baselines_have_equal_bytes_and_versions(tmp_path):
    for name in ("a", "b"):
        write_linear(tmp_path / name, make_linear(), task="t", labels=LABELS)
    write_linear(tmp_path / "c", make_linear(("bad film", "well")), task="t", labels=LABELS)
    for name in (LINEAR_MANIFEST, WEIGHTS):
        assert sha256(tmp_path / "a" / name) == sha256(tmp_path / "b" / name)
    versions = [read_linear(tmp_path / name).version for name in "abc"]
    assert versions[0] == versions[1] != versions[2]


def test_a_task_without_one_says_so(tmp_path):
    write_linear(tmp_path / "t", None, task="t", labels=LABELS)
    for read in (read_linear, find_linear_kind):
        with pytest.raises(UsageError, match=r"/t: t has no linear baseline"):
            read(tmp_path / "t")


@pytest.mark.parametrize("change", [{"format": 2}, {"unknown": 1}, {"labels": "x"}, {"ngrams": [{"kind": "other"}]}])
def test_another_format_is_refused(tmp_path, change):
    write_linear(tmp_path / "t", make_linear(), task="t", labels=LABELS)
    path = tmp_path / "t" / LINEAR_MANIFEST
    path.write_text(json_text({**read_json(path), **change}))
    with pytest.raises(EnvironmentFault, match=next(iter(change))):
        read_linear(tmp_path / "t")


def test_damage_is_named(tmp_path):
    write_linear(tmp_path / "t", make_linear(), task="t", labels=LABELS)
    weights = tmp_path / "t" / WEIGHTS
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + b"\1")
    with pytest.raises(EnvironmentFault, match=WEIGHTS):
        read_linear(tmp_path / "t")
    weights.unlink()
    with pytest.raises(EnvironmentFault, match=WEIGHTS):
        read_linear(tmp_path / "t")
    (tmp_path / "t" / LINEAR_MANIFEST).unlink()
    with pytest.raises(EnvironmentFault, match=LINEAR_MANIFEST):
        find_linear_kind(tmp_path / "t")
