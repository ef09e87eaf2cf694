import html
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pipeline.core.format import (
    HIDDEN,
    count,
    escape_markdown,
    inert,
    interval,
    markdown_table,
    p_cell,
    p_phrase,
    p_value,
    percent,
    plural,
    points,
    points_and_interval,
    points_interval,
    share,
    share_and_interval,
    shorten,
    size_in_points,
    visible,
)

GITHUB = MarkdownIt("commonmark").enable(["table", "strikethrough"])
PUNCTUATION = "|`*_[]()!<>&@#:~\\$\"'-+./ \n\t\u202e\u200b\x00\u2028"
anything = st.text(st.one_of(st.characters(), st.sampled_from(PUNCTUATION)), max_size=40)
HOSTILE = (
    "<script>alert(1)</script>",
    "| @user |",
    "a](javascript:alert(1))",
    "![x](http://example.org/x.png)",
    "[link](http://example.org)",
    "<http://example.org>",
    "`code` and ``more``",
    "**bold** _em_ ~~gone~~",
    "one\ntwo\r\nthree",
    "\\| \\\\|",
    "&lt;b&gt; &#60;",
    "<!-- hidden",
    "\u202egnp.exe",
    "zero\u200bwidth\ufeff",
    "\x1b[31mred\x00",
    "$x^2$",
)


def shown(markdown: str) -> tuple[str, set[str]]:
    """Return the text that a renderer shows of inline Markdown, and the tags that are in it."""
    page = GITHUB.render(markdown)
    tags = set(re.findall(r"<([a-z0-9]+)", page))
    return html.unescape(re.sub(r"<[^>]*>", "", page)).replace("\u200b", "").strip("\n"), tags


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_markdown_shows_as_it_is(text: str) -> None:
    words, tags = shown("start " + escape_markdown(text) + " end")
    assert words == f"start {visible(text)} end"
    assert tags == {"p"}


@given(anything)
def test_any_text_in_markdown_shows_as_it_is(text: str) -> None:
    words, tags = shown("start-" + escape_markdown(text) + "-end")
    assert words == f"start-{visible(text)}-end"
    assert tags == {"p"}


@given(st.lists(st.lists(anything, min_size=3, max_size=3), min_size=1, max_size=4))
def test_a_table_keeps_its_columns_whatever_the_cells_hold(rows: list[list[str]]) -> None:
    cells = [[escape_markdown(f"-{cell}-") for cell in row] for row in rows]
    page = GITHUB.render(markdown_table(("a", "b", "c"), cells))
    found = [html.unescape(cell).replace("\u200b", "") for cell in re.findall(r"<td>(.*?)</td>", page)]
    assert found == [visible(f"-{cell}-") for row in rows for cell in row]
    assert page.count("<table>") == 1
    assert set(re.findall(r"<([a-z0-9]+)", page)) <= {"table", "thead", "tbody", "tr", "th", "td"}


@given(anything)
def test_nothing_is_left_for_github_to_link(text: str) -> None:
    # GitHub links mentions, issues, emoji and addresses in the text that references have become.
    words = html.unescape(escape_markdown(text))
    assert not re.search(r"[@#][0-9A-Za-z]|GH-\d|:\w+:|://|www\.", words, flags=re.IGNORECASE | re.ASCII)


def test_mentions_and_issues_are_broken() -> None:
    assert escape_markdown("@user #12 gh-12 www.example.org") == (
        "&#64;&#8203;user &#35;&#8203;12 gh-&#8203;12 www&#8203;.example.org"
    )


def test_plain_words_stay_readable() -> None:
    assert escape_markdown("real gain, 7.8 points up-to-date") == "real gain, 7.8 points up-to-date"


@given(anything)
def test_visible_text_hides_nothing(text: str) -> None:
    assert not [char for char in visible(text) if unicodedata.category(char) in HIDDEN]
    visible(text).encode("utf-8")


def test_hidden_characters_are_named_and_others_kept() -> None:
    assert visible("a\u202eb\n\ud800") == "a⟨U+202E⟩b⟨U+000A⟩⟨U+D800⟩"
    assert visible("naïve 日本語 e\u0301 🙂") == "naïve 日本語 e\u0301 🙂"


def test_a_table_aligns_and_ends_each_line() -> None:
    assert markdown_table(("a", "b"), [("1", "2")], right=[1]) == "| a | b |\n| --- | ---: |\n| 1 | 2 |\n"


def test_a_table_refuses_a_row_of_another_length() -> None:
    with pytest.raises(ValueError, match="2 cells"):
        markdown_table(("a", "b"), [("1",)])


@given(anything, st.integers(1, 50))
def test_shortened_text_fits_and_says_so(text: str, most: int) -> None:
    cut = shorten(text, most)
    assert len(cut) <= most
    assert cut == text or (cut.endswith("…") and text.startswith(cut[:-1]))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (share(0.86849), "0.868"),
        (share(None), "–"),
        (share(-0.0001), "0.000"),
        (share(-0.25), "−0.250"),
        (share(2.0), "2.000"),
        (count(1086), "1,086"),
        (count(None), "–"),
        (count(0), "0"),
        (percent(0.95), "95%"),
        (percent(0.999), "99.9%"),
        (points(0.0779), "+7.8"),
        (points(-0.0117), "−1.2"),
        (points(0.0), "0.0"),
        (points(-0.0004), "0.0"),
        (points(0.0004), "0.0"),
        (points(None), "–"),
        (interval(0.847, 0.888), "[0.847, 0.888]"),
        (interval(None, 0.888), ""),
        (points_interval(-0.01, 0.026), "[−1.0, +2.6]"),
        (points_interval(0.01, None), ""),
        (p_value(0.0009), "< 0.001"),
        (p_value(0.001), "0.001"),
        (p_value(1.0), "1.000"),
        (p_value(None), "–"),
        (p_phrase(1e-9), "p < 0.001"),
        (p_phrase(0.0342), "p = 0.034"),
        (plural(1, "task"), "1 task"),
        (plural(1200, "row"), "1,200 rows"),
        (plural(0, "class", "classes"), "0 classes"),
    ],
)
def test_numbers_in_words(found: str, expected: str) -> None:
    assert found == expected


@given(st.floats(-1, 1))
def test_points_have_the_sign_and_size_of_the_difference(difference: float) -> None:
    text = points(difference)
    assert float(text.replace("−", "-")) == pytest.approx(100 * difference, abs=0.0501)
    assert text[0] in "+−" or text == "0.0"


def test_numbers_with_their_intervals_and_p_values_in_a_cell():
    assert share_and_interval(0.86, 0.839, 0.88) == "0.860 [0.839, 0.880]"
    assert share_and_interval(0.86, None, None) == "0.860"
    assert points_and_interval(-0.056, -0.084, -0.028) == "−5.6 [−8.4, −2.8]"
    assert points_and_interval(None, None, None) == "–"
    assert [size_in_points(value) for value in (-0.01, 0.0101, 0.073, 0.0)] == [
        "1.0 point", "1.0 point", "7.3 points", "0.0 points",
    ]  # fmt: skip
    assert (p_cell(0.0002), p_cell(0.0341), p_cell(None)) == ("&lt; 0.001", "0.034", "–")


@given(anything)
def test_inert_text_has_its_lines_and_nothing_that_acts(text: str) -> None:
    shown = inert(text)
    assert shown.count("\n") == text.count("\n")
    assert not any(unicodedata.category(letter) in HIDDEN for letter in shown.replace("\n", ""))
