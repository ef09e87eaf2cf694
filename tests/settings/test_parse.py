import time

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
    assert {key: lines[key] for key in ("a", "c", "c.b", "c.d", "e")} == {"a": 1, "c": 2, "c.b": 1, "c.d": 4, "e": 5}


def test_keys_of_several_merged_maps_have_values_and_lines():
    values, lines = parse_params("a: &x {b: 1}\nc: &y\n  b: 2\n  d: 3\ne:\n  d: 4\n  <<: [*x, *y, {f: 5}]\n")
    assert values["e"] == {"b": 1, "d": 4, "f": 5}
    assert {key: lines[f"e.{key}"] for key in "df"} == {"d": 6, "f": 7}


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
        ("a: &x\n  b: [1, [*x]]", "a.b.*itself"),
        ("a: &x\n  <<: *x\n  b: 1", "itself"),
    ],
)
def test_what_is_no_map_of_plain_values_is_refused(text, words):
    with pytest.raises(UsageError, match=words):
        parse_params(text)


def nest(kind, depth):
    """Return aliases of aliases: 9 ** depth values in a few lines."""
    lines = [f"a{level}: &a{level} {kind(*[f'*a{level - 1}'] * 9)}" for level in range(1, depth + 1)]
    return "\n".join([f"a0: &a0 {kind('xx')}", *lines])


def flow_list(*values):
    return f"[{', '.join(values)}]"


def flow_map(*values):
    return f"{{{', '.join(f'k{n}: {value}' for n, value in enumerate(values))}}}"


def merge(*values):
    return "{k: 1}" if len(values) == 1 else f"{{<<: [{', '.join(values)}]}}"


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        (nest(flow_list, 9), "more than 100000 values"),
        (nest(flow_map, 9), "more than 100000 values"),
        (nest(merge, 9), "more than 100000 values"),
        (f"a: &a {'x' * 10**5}\nb: {flow_list(*['*a'] * 200)}", "10000000 characters"),
        ("a0: &a0 {k: 1}\n" + "".join(f"a{n}: &a{n} {{k: *a{n - 1}}}\n" for n in range(1, 300)), "50 deep"),
        ("a: 1\nb: " + "[" * 3000 + "]" * 3000, "line 2: .*50 deep"),
        ("a: " + "{k: " * 3000 + "1" + "}" * 3000, "50 deep"),
        ("".join(" " * n + "a:\n" for n in range(1000)), "50 deep"),
        ("- " * 2000, "50 deep"),
        ("a: 1\nb:\n  c: " + "9" * 10_000, "line 3: b.c .*100 digits"),
        ("a: 0x" + "f" * 100_000, "line 1: a .*100 digits"),
        ("? " + "9" * 10_000 + "\n: 1", "line 1: .*100 digits"),
        ("a: \x00", "not valid YAML"),
        ("a:\n\tb: 1\n", "line 2: not valid YAML"),
    ],
)  # fmt: skip
def test_what_would_take_for_ever_is_refused_in_a_line_and_a_second(text, facts):
    start = time.process_time()
    with pytest.raises(UsageError, match=facts) as caught:
        parse_params(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
    assert time.process_time() - start < 1


@pytest.mark.parametrize("values", [{}, {"a": 3}, {"a": None}, {"a": []}, None, 3, "a"])
def test_what_has_no_map_has_an_empty_one(values):
    assert submap(values, "a") == {}
    assert submap({"a": {"b": 1}}, "a") == {"b": 1}
