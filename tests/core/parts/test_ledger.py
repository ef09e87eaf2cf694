import pyarrow as pa
import pytest

from pipeline.core.parts.ledger import open_ledger


@pytest.fixture
def out(tmp_path):
    (tmp_path / ".dvc").mkdir()
    return tmp_path / "data" / "out"


def test_answers_are_those_of_the_run_before(out):
    first = open_ledger(out, "code", a=1)
    assert first.read("rows") == {}
    first.write("rows", {b"one": b"1", b"two": b""})
    first.write("words", {b"one": b"\0\xff"})
    second = open_ledger(out, "code", a=1)
    assert second.read("rows") == {b"one": b"1", b"two": b""}
    second.write("rows", {b"two": b"2"})
    third = open_ledger(out, "code", a=1)
    assert (third.read("rows"), third.read("words")) == ({b"two": b"2"}, {b"one": b"\0\xff"})


@pytest.mark.parametrize(("code", "facts"), [("other", {"a": 1}), ("code", {"a": 2}), ("code", {"b": 1})])
def test_another_code_or_fact_has_no_answers(out, code, facts):
    open_ledger(out, "code", a=1).write("rows", {b"one": b"1"})
    assert open_ledger(out, code, **facts).read("rows") == {}


def test_a_large_answer_is_a_part_of_its_own(out):
    answer = pa.record_batch({"number": [1, 2, 3]})
    first = open_ledger(out, "code")
    first.write_part("sketches", b"order", b"one", answer=answer)
    second = open_ledger(out, "code")
    asked = [("sketches", b"order", b"one"), ("sketches", b"ordero", b"ne"), ("sketches", b"order"), ("rows",)]
    assert [second.has_part(*words) for words in asked] == [True, False, False, False]
    assert [second.read_part(*words) is not None for words in asked] == [True, False, False, False]
    assert second.read_part(*asked[0]).equals(answer)
    (path,) = (out.parents[1] / ".dvc/tmp/parts").iterdir()
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert second.has_part(*asked[0])
    assert second.read_part(*asked[0]) is None


def test_nothing_is_kept_without_a_fingerprint_or_a_repository(out, tmp_path):
    assert open_ledger(out, None) is None
    (tmp_path / ".dvc").rename(tmp_path / "dvc")
    assert open_ledger(out, "code") is None
