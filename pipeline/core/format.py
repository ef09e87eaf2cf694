"""Text that is safe to show: inert in Markdown, without hidden characters, numbers in one format everywhere."""

import re
import unicodedata
from collections.abc import Sequence

ABSENT = "–"
# Control, format (bidi overrides, zero-width), surrogate, private, unassigned; line and paragraph separators.
HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# The end of a training, after the word "ended".
ENDINGS = {"finished": "after all steps", "early": "early: validation no longer improved"}


# ------------------------------------------------------------------------------------------------ text
def visible(text: str) -> str:
    """Return `text` with every hidden or control character, line breaks included, as `⟨U+202E⟩`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(f"⟨U+{ord(char):04X}⟩" if unicodedata.category(char) in HIDDEN else char for char in text)


def inert(text: str) -> str:
    """Return `text` with its lines as `visible` shows them, so that it can neither move a cursor nor hide."""
    return "\n".join(map(visible, text.split("\n")))


def shorten(text: str, most: int) -> str:
    """Return `text`, cut to `most` (>= 1) characters; a cut text ends in `…`."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def escape_markdown(text: str) -> str:
    """Return `text` as GitHub Markdown that shows `text` and does nothing, inside a line or a table cell.

    ASCII punctuation becomes character references (except `,`, `-` and `.`, which do nothing inside a line), which
    neither split a cell nor start emphasis, code, links, images or HTML. GitHub looks for mentions, issue numbers,
    emoji and addresses after it has resolved references, so a zero-width space breaks `@user`, `#1`, `GH-1`, `:name:`
    and `www.`.

    Source: https://spec.commonmark.org/0.31.2/#entity-and-numeric-character-references
    """
    references = re.sub(r"[!-+/:-@\[-`{-~]", lambda match: f"&#{ord(match[0])};", visible(text))
    return re.sub(r"(?<=&#(?:64|35|58);)|(?<=GH-)(?=\d)|(?<=www)(?=\.)", "&#8203;", references, flags=re.IGNORECASE)


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """Return a GitHub table of cells that are Markdown already; the columns at positions `right` are right-aligned.

    Raises:
        ValueError: A row does not have as many cells as the header.
    """
    marks = ["---:" if position in right else "---" for position in range(len(header))]
    lines = [header, marks, *rows]
    if any(len(line) != len(header) for line in lines):
        raise ValueError(f"each row must have {len(header)} cells")
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


# ------------------------------------------------------------------------------------------------ numbers
def share(value: float | None) -> str:
    """Return a share or another small number with three decimals."""
    return ABSENT if value is None else _plain(f"{value:.3f}")


def count(value: float | None) -> str:
    """Return a whole number with thousands separators."""
    return ABSENT if value is None else _plain(f"{value:,.0f}")


def percent(value: float) -> str:
    """Return a share as a percentage without needless zeros: 0.95 is `95%`."""
    return f"{100 * value:.6g}%"


def points(difference: float | None) -> str:
    """Return a difference of shares in percentage points with its sign: 0.0779 is `+7.8`."""
    return ABSENT if difference is None else _plain(f"{100 * difference:+.1f}")


def signed(difference: float | None) -> str:
    """Return a difference with its sign and three decimals."""
    return ABSENT if difference is None else _plain(f"{difference:+.3f}")


def interval(low: float | None, high: float | None) -> str:
    """Return `[low, high]` as shares; empty if a side is missing."""
    return "" if low is None or high is None else f"[{share(low)}, {share(high)}]"


def points_interval(low: float | None, high: float | None) -> str:
    """Return `[low, high]` in percentage points; empty if a side is missing."""
    return "" if low is None or high is None else f"[{points(low)}, {points(high)}]"


def share_and_interval(value: float | None, low: float | None, high: float | None) -> str:
    """Return a share with its interval, if there is one: `0.860 [0.839, 0.880]`."""
    return f"{share(value)} {interval(low, high)}".rstrip()


def points_and_interval(difference: float | None, low: float | None, high: float | None) -> str:
    """Return a difference in percentage points with its interval, if there is one: `+5.6 [+2.8, +8.4]`."""
    return f"{points(difference)} {points_interval(low, high)}".rstrip()


def size_in_points(difference: float | None) -> str:
    """Return the size of a difference of shares without its sign: `1.0 point`, `7.3 points`."""
    size = points(difference).lstrip("+−")
    return f"{size} {'point' if size == '1.0' else 'points'}"


def p_value(value: float | None) -> str:
    """Return a p value for a table: `< 0.001`, or three decimals."""
    return ABSENT if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def p_cell(value: float | None) -> str:
    """Return a p value (see `p_value`) as Markdown."""
    return p_value(value).replace("<", "&lt;")


def p_phrase(value: float) -> str:
    """Return a p value for a sentence: `p < 0.001` or `p = 0.034`."""
    text = p_value(value)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def plural(number: int, singular: str, many: str = "") -> str:
    """Return `number` with the noun in the right form: `1 task`, `2,000 tasks`; `many` is the plural if not in -s."""
    return f"{count(number)} {singular if number == 1 else many or singular + 's'}"


def _plain(number: str) -> str:
    """Return `number` with a real minus sign, and without a sign if it is zero."""
    return number.lstrip("+-") if not number.strip("+-0.,") else number.replace("-", "−")
