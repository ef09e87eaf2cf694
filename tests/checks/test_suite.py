import json
import re

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pydantic import ValidationError

from pipeline.checks.columns import EXAMPLE_COLUMNS
from pipeline.checks.rows import count_failures
from pipeline.checks.suite import BROKEN, ESCAPED, list_checks, list_schema_checks
from tests.given.validating import make_chunks, make_params


def test_every_check_has_its_own_name_and_says_what_to_do() -> None:
    suite = [*list_schema_checks(["id"], EXAMPLE_COLUMNS), *list_checks(make_params(), ("a", "b"))]
    names = [check.check for check in suite]
    assert len(set(names)) == len(names)
    for check in suite:
        assert re.fullmatch(r"[a-z_]+", check.check)
        assert check.title
        assert check.remedy
        assert check.expected


def test_suite_is_plain_json() -> None:
    suite = [*list_schema_checks(["id", "kept"], EXAMPLE_COLUMNS), *list_checks(make_params(), ("a", "b"))]
    for check in suite:
        assert json.loads(json.dumps(check.kwargs, allow_nan=False)) == check.kwargs


@pytest.mark.parametrize(
    ("param", "value", "name", "limit"),
    [
        ("min_rows", 77, "split_rows", "min_value"),
        ("min_class_rows", 77, "class_rows", "min_value"),
        ("min_class_share", 0.77, "class_share", "min_value"),
        ("max_majority_share", 0.77, "majority_share", "max_value"),
        ("max_broken_share", 0.77, "broken_share", "max_value"),
        ("max_conflict_share", 0.77, "conflict_share", "max_value"),
        ("max_duplicate_share", 0.77, "duplicate_share", "max_value"),
        ("max_broken_share", 0.77, "misread_share", "max_value"),
        ("max_changed_share", 0.77, "trimmed_share", "max_value"),
        ("max_changed_share", 0.77, "control_share", "max_value"),
        ("max_changed_share", 0.77, "normalised_share", "max_value"),
        ("max_dropped_share", 0.77, "empty_share", "max_value"),
        ("max_dropped_share", 0.77, "unlabelled_share", "max_value"),
        ("max_escaped_share", 0.77, "html_share", "max_value"),
        ("max_escaped_share", 0.77, "percent_share", "max_value"),
        ("max_escaped_share", 0.77, "backslash_share", "max_value"),
        ("max_near_share", 0.77, "near_share", "max_value"),
        ("max_label_drift", 0.77, "label_drift", "max_value"),
        ("max_length_drift", 0.77, "length_drift", "max_value"),
    ],
)
def test_each_limit_reaches_its_check(param: str, value: float, name: str, limit: str) -> None:
    check = next(check for check in list_checks(make_params(**{param: value}), ("a", "b")) if check.check == name)
    assert check.kwargs[limit] == value
    assert f"{value:g}" in check.expected


@pytest.mark.parametrize(("limits", "short", "long"), [((2, 4), 1, 1), ((1, 9), 0, 0), ((4, 4), 2, 1)])
def test_the_lengths_that_are_allowed_reach_their_checks(limits: tuple[int, int], short: int, long: int) -> None:
    least, most = limits
    suite = list_checks(make_params(min_chars=least, max_chars=most), ("a", "b"))
    tests = {check.check: check.test for check in suite if check.test}
    found = count_failures(make_chunks(pa.table({"text": ["a", "abc", "abcde"], "row": [1, 2, 3]})),
                           {name: tests[name] for name in ("short_text", "long_text")})  # fmt: skip
    assert [found[name].rows for name in ("short_text", "long_text")] == [short, long]
    expected = {check.check: check.expected for check in suite}
    assert str(least) in expected["short_text"]
    assert str(most) in expected["long_text"]


@pytest.mark.parametrize("labels", [("a", "\x1b[31m"), ("a", "b", "c")])
def test_labels_are_the_indices_of_the_classes(labels: tuple[str, ...]) -> None:
    known = next(check for check in list_checks(make_params(), labels) if check.check == "label_known")
    assert known.expected == f"a class index from 0 to {len(labels) - 1}"
    assert known.test is not None
    chunk = pa.table({"label": pa.array([-1, *range(len(labels)), len(labels), None], pa.int64())})
    assert known.test.fails(chunk).to_pylist() == [True, *[False] * len(labels), True, None]


@pytest.mark.parametrize("codec", ["latin-1", "cp1252"])
@pytest.mark.parametrize(
    "text", ["café", "naïve señor", "Straße über", "“quoted” – it’s", "£5 or 5 °C", "\ufeffstart", "🙂", "\ufffd"]
)
def test_utf_8_read_in_another_codec_is_broken(text: str, codec: str) -> None:
    raw = text.encode()
    misread = "".join(bytes([byte]).decode(codec, errors="ignore") or chr(byte) for byte in raw)
    assert re.search(BROKEN, misread)


@pytest.mark.parametrize(
    "text",
    [
        "café",
        "Straße",
        "„Spaß“",
        "ÂME SÃO PAULO",
        "CAFÉ…",
        "naïve – “déjà vu”",
        "5 °C £3 ½",
        "Ångström",
        "日本語 🙂",
        "AMANHÃ”",
        "ÎLE ÔTÉ",
    ],
)
def test_good_text_is_not_broken(text: str) -> None:
    assert re.search(BROKEN, text) is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("salt &amp; pepper", "html_share"),
        ("it&#39;s", "html_share"),
        ("&#x1F600;", "html_share"),
        ("&lt;#&gt;", "html_share"),
        ("one<br>two", "html_share"),
        ("<p>one</p>", "html_share"),
        ('<a href="x">', "html_share"),
        ("<BR />", "html_share"),
        ("one%20two", "percent_share"),
        ("caf%C3%A9", "percent_share"),
        ("why%3F", "percent_share"),
        (r"caf\u00e9", "backslash_share"),
        (r"caf\xe9", "backslash_share"),
        (r"one\ntwo", "backslash_share"),
        (r"she said \"no\"", "backslash_share"),
    ],
)
def test_escaped_text_is_seen_in_its_kind_alone(text: str, name: str) -> None:
    assert [kind for kind, pattern in ESCAPED.items() if seen(pattern, text)] == [name]


@pytest.mark.parametrize(
    "text",
    ["AT&T; R&D", "a < b > c", "<3 you", "5 <6>", "100% of 20", "50%", "up 20%2 down", "and/or", "\\o/ & co;", "a<b"],
)
def test_plain_text_is_not_escaped(text: str) -> None:
    assert not [kind for kind, pattern in ESCAPED.items() if seen(pattern, text)]


def seen(pattern: str, text: str) -> bool:
    """Return whether Arrow, whose expressions are not Python's, sees a pattern."""
    found: bool = pc.match_substring_regex(pa.array([text]), pattern)[0].as_py()
    return found


def test_lengths_that_no_text_can_have_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"`min_chars`.*`max_chars`.*\b9\b.*\b8\b"):
        make_params(min_chars=9, max_chars=8)
