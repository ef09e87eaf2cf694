import pytest

from pipeline.core.errors import UsageError
from pipeline.settings.parse import parse_params, submap


def test_yaml_is_1_2():
    values, lines = parse_params("rate: 1e-5\nno: no\ntime: 12:30\noctal: 010\n")
    assert values == {"rate": 1e-5, "no": "no", "time": "12:30", "octal": 10}
    assert lines == {"rate": 1, "no": 2, "time": 3, "octal": 4}


def test_a_line_is_that_of_the_key_at_any_depth():
    _, lines = parse_params("a:\n  b: {c: 1,\n      d: 2}\n\n# e\n? f\n: 3\n1: {true: x}\n")
    assert lines == {"a": 1, "a.b": 2, "a.b.c": 2, "a.b.d": 3, "f": 6, "1": 8, "1.True": 8}


def test_anchors_and_merged_keys_have_values_and_lines():
    values, lines = parse_params("a: &x {b: 1}\nc:\n  <<: *x\n  d: 2\ne: *x\n")
    assert values == {"a": {"b": 1}, "c": {"b": 1, "d": 2}, "e": {"b": 1}}
    assert {key: lines[key] for key in ("a", "c", "c.d", "e")} == {"a": 1, "c": 2, "c.d": 4, "e": 5}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "not valid YAML"),
        ("a: 1\na: 2", '"a"'),
        ("a: 1\n---\nb: 2", "not valid YAML"),
        ("a: !!python/object:os.x 1", "not valid YAML"),
        ("- 1", "a map.*list"),
        ("3", "a map.*int"),
        ("", "a map.*NoneType"),
        ("a: &x\n  b: *x", "a.b.*itself"),
    ],
)
def test_what_is_no_map_of_plain_values_is_refused(text, words):
    with pytest.raises(UsageError, match=words):
        parse_params(text)


@pytest.mark.parametrize("values", [{}, {"a": 3}, {"a": None}, {"a": []}, None, 3, "a"])
def test_what_has_no_map_has_an_empty_one(values):
    assert submap(values, "a") == {}
    assert submap({"a": {"b": 1}}, "a") == {"b": 1}
