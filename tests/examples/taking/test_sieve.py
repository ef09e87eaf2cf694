from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.examples.faults import Faults, RowErrors
from pipeline.examples.records import Records
from pipeline.examples.taking.sieve import Sieve
from tests.given.ingesting import make_records

WORDS = st.lists(st.sampled_from(["a", "b", "c", "odd", "queer"]), min_size=1, max_size=40)
SIZES = st.lists(st.integers(1, 6), max_size=2, unique=True).map(lambda sizes: sorted(sizes, reverse=True))


def parse(records: Records) -> list[str]:
    """Return the words; those longer than a letter are faulty, and a file must have an `a` and a `b`."""
    words, faults = records.texts("c"), Faults(records.faults)
    for bad in ("odd", "queer"):
        with faults.gather():
            if rows := [(row, word) for row, word in enumerate(words) if word == bad]:
                raise records.fault(f"that are {bad}", rows, "Mend.", column="c")
    with faults.gather():
        if records.complete and not {*words} >= {"a", "b"}:
            raise RowErrors(f"no a or no b among {len(words)}")
    faults.check()
    return words


def records_of(words: Sequence[str]) -> Records:
    return make_records({"c": list(words)}, range(2, len(words) + 2))


def find_error(words: Sequence[str], faults: tuple[str, ...] = ()) -> str | None:
    try:
        parse(records_of(words)._replace(faults=faults))
    except RowErrors as error:
        return str(error)
    return None


def sift(
    words: Sequence[str], size: int, *, faults: tuple[str, ...] = (), most: int = 1000, pieces: Sequence[int] = ()
) -> tuple[list[str], str | None]:
    """Return the words that passed, and the error."""
    whole = records_of(words)
    sieve = Sieve(parse, list, lambda most: whole.take(range(min(most, len(words)))), most=most, pieces=pieces)
    passed = list[str]()
    for piece in [
        *(piece._replace(partial=True) for piece in whole.divide(size)),
        whole.take([])._replace(faults=faults),
    ]:
        for records, rows in sieve.sift(piece._replace(partial=True)):
            assert records.texts("c") == rows
            passed += rows
    try:
        sieve.check()
    except RowErrors as error:
        return passed, str(error)
    return passed, None


@given(WORDS, st.integers(1, 8), SIZES, st.sampled_from([(), ("f.csv:9: ragged.",)]))
def test_an_error_is_that_of_all_rows_parsed_at_once(
    words: list[str], size: int, pieces: list[int], faults: tuple[str, ...]
) -> None:
    passed, error = sift(words, size, faults=faults, pieces=pieces)
    assert error == find_error(words, faults)
    if 1 in pieces or size == 1:
        assert passed == [word for word in words if len(word) == 1]
    assert error or passed == words


@pytest.mark.parametrize("pieces", [(), (4, 2)])
def test_too_many_faulty_rows_are_not_counted_to_the_end(pieces: Sequence[int]) -> None:
    words = ["a", "b", *["odd"] * 10, *"ab" * 4, *["queer"] * 10]
    _, error = sift(words, 5, most=8, pieces=pieces)
    assert error is not None
    assert "f.csv:4: column 'c': 8 row(s) that are odd" in error
    assert "f.csv: only the first 10 of 30 row(s) were counted" in error
    assert "queer" not in error


def test_what_a_file_lacks_is_counted_in_its_first_rows() -> None:
    assert sift(["a"] * 30, 5, most=30)[1] == "no a or no b among 30"
    error = sift(["a"] * 30, 5, most=20)[1]
    assert error is not None
    assert "no a or no b among 20" in error
    assert "only the first 20 of 30 row(s) were counted" in error


def test_only_the_first_rows_of_labels_and_faulty_rows_are_held() -> None:
    held = list[int]()

    def watch(records: Records) -> list[str]:
        held.append(len(records.lines))
        return parse(records)

    whole = records_of([*"ab" * 500, "odd", *"ab" * 500])
    sieve = Sieve(watch, list, lambda _: whole, pieces=(10,))
    for piece in whole.divide(100):
        for _ in sieve.sift(piece._replace(partial=True)):
            pass
    held.clear()
    with pytest.raises(RowErrors, match=r"f\.csv:1002: column 'c': 1 row\(s\) that are odd"):
        sieve.check()
    assert held == [12]
