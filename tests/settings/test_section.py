# The checks of keys, names and folders are tested through resolve, in test_resolve.py.
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.document import Strict
from pipeline.settings.problems import Problems
from pipeline.settings.section import check_section, merge

MAPS = st.dictionaries(st.sampled_from("abcd"), st.integers(), max_size=4)


class Inner(Strict):
    number: int


class Outer(Strict):
    inner: Inner
    names: tuple[str, ...]


@given(st.lists(MAPS, max_size=4))
def test_a_later_layer_replaces_an_earlier_one_and_each_key_stands_in_the_last_that_has_it(layers):
    values, places = merge(*((f"layer{number}", layer) for number, layer in enumerate(layers)))
    for key in "abcd":
        owners = [number for number, layer in enumerate(layers) if key in layer]
        assert (key in values) == (key in places) == bool(owners)
        if owners:
            assert values[key] == layers[owners[-1]][key]
            assert places[key] == f"layer{owners[-1]}.{key}"


def test_a_valid_section_is_plain_json():
    problems = Problems()
    assert check_section(Outer, {"inner": {"number": 1}, "names": ["a"]}, problems) == {
        "inner": {"number": 1},
        "names": ["a"],
    }
    assert not problems.errors


def test_each_error_is_under_its_key():
    problems = Problems()
    values, places = merge(("common", {"inner": {"number": "1", "numbr": 2}}), ("own", {"names": [3]}))
    assert check_section(Outer, values, problems.within("own", places)) == {}
    assert list(problems.errors) == ["common.inner.number", "common.inner.numbr", "own.names.0"]
    assert "found '1'" in problems.errors["common.inner.number"]
    assert "`number`" in problems.errors["common.inner.numbr"]


def test_a_missing_key_and_what_is_not_json_are_errors():
    problems = Problems()
    assert check_section(Outer, {"names": []}, problems.within("at")) == {}
    assert problems.errors["at.inner"].startswith("is missing")
    assert check_section(Outer, {"names": {1}}, problems.within("set")) == {}
    assert "set" in problems.errors
