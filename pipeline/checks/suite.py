"""The suite of checks on the examples, as data: each in the words of Great Expectations and in those of a reader.

A check judges one frame: `header` (the columns of the examples, no rows), `schema` (a row a column), `splits` and
`classes` (a row each, with counts), `measures` (one row, a column a number). What it asks of each example is a test of
rows, and it judges how many fail it, one of the numbers: no frame grows with the examples.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from pipeline.checks.columns import name_columns
from pipeline.checks.rows import RowTest, is_longer, is_marked, is_missing, is_shorter, is_unknown, matches
from pipeline.core.errors import listed
from pipeline.settings.fields import SPLITS
from pipeline.settings.shared.classes import ClassChecksParams
from pipeline.settings.shared.texts import PAIR, DriftChecksParams, LabelledTextChecksParams, TextChecksParams
from pipeline.settings.task import ValidateParams

_BETWEEN = "expect_column_values_to_be_between"
_RERUN = "run `dvc repro` to create the examples again"

# U+FFFD, and UTF-8 that was read as Latin-1 or Windows-1252: the first bytes of what Western European letters,
# typographic marks, the byte order mark and emoji become. Marks that may well follow a capital, such as a closing
# quote, are left out: a missed break costs less than a false one.
# Source: https://ftfy.readthedocs.io/en/latest/heuristic.html
BROKEN = (
    "\ufffd|[\u00c2\u00c3][\u0080-\u00bf]|\u00c3[\u20ac\u201a\u0192\u201e\u2020\u2021\u02c6\u2030\u0160\u2039\u0152"
    "\u017d\u2018\u201c\u2022\u02dc\u2122\u0161\u0153\u017e\u0178]|\u00e2\u20ac|\u00e2\u0080|\u00ef\u00bb\u00bf|"
    "\u00ef\u00bf\u00bd|\u00f0\u0178|\u00f0\u009f"
)

# Text that a former tool has escaped. Ignoring case; "100% better" and "AT&T" are none.
ESCAPED = {
    "html_share": r"(?i)&(?:[a-z][a-z0-9]{1,31}|#[0-9]{1,7}|#x[0-9a-f]{1,6});|</?[a-z][a-z0-9]*(?:\s[^<>]*)?/?>",
    "percent_share": r"(?i)%(?:20|2[1-9a-f]|[3-7][0-9a-f](?:[^a-z0-9]|$)|[c-f][0-9a-f]%)",
    "backslash_share": r"(?i)\\(?:u[0-9a-f]{4}|x[0-9a-f]{2}|[nrt]|[\"'])",
}

Severity = Literal["critical", "warning"]


class Check(NamedTuple):
    """One check of one frame: `expectation` and `kwargs` are Great Expectations', most of the rest is for people.

    A check of each row has a test; its frame is `measures`, in which its column counts the rows that fail.
    """

    check: str
    title: str
    severity: Severity
    frame: str
    expected: str
    remedy: str
    expectation: str
    kwargs: Mapping[str, Any]
    test: RowTest | None = None


def list_schema_checks(columns: Sequence[str], own: Mapping[str, str]) -> list[Check]:
    """Return the checks that all others rely on: the `columns` present start with our `own`, of their types."""
    wanted = [*own, *columns[len(own) :]]
    types = [
        f"{' and '.join(name for name, kind in own.items() if kind == other)} {other}"
        for other in dict.fromkeys(own.values())
        if other != "string"
    ]
    return [
        Check("columns", "Columns in order", "critical", "header", f"{listed(own)}, then those kept",
              _RERUN, "expect_table_columns_to_match_ordered_list", {"column_list": wanted}),
        Check("types", "Types of the columns", "critical", "schema", ", ".join([*types, "all others string"]), _RERUN,
              "expect_column_pair_values_to_be_equal", {"column_A": "type", "column_B": "expected"}),
    ]  # fmt: skip


def list_checks(params: LabelledTextChecksParams, labels: Sequence[str]) -> list[Check]:
    """Return the checks of examples whose schema is right, the most telling first; `labels` are the classes."""
    return [
        *list_row_checks(name_columns(params)),
        check_known_labels(labels),
        *list_text_checks(params),
        *(list_pair_checks(params) if params.pairs else ()),
        *list_split_checks(params),
        *list_class_checks(params),
        *list_share_checks(params),
        *list_change_checks(params),
        *list_drift_checks(params),
    ]


def check_known_labels(labels: Sequence[str]) -> Check:
    """Return the check that each example has a class."""
    known = list(range(len(labels)))
    return check_rows(
        "label_known", "Labels known", f"a class index from 0 to {known[-1]}", _RERUN, is_unknown("label", known)
    )


def list_row_checks(own: Iterable[str]) -> list[Check]:
    """Return the checks of each example of any kind, whose `own` columns are never empty."""
    return [
        *(
            check_rows(f"{column}_given", f"Every example has its {column}", "no missing value", _RERUN,
                       is_missing(column))
            for column in own
        ),
        check_rows("id_unique", "No id twice", "each id once", _RERUN, is_marked("repeated", of="id")),
        check_rows("split_known", "Split names known", f"one of {listed(SPLITS)}", _RERUN, is_unknown("split", SPLITS)),
    ]  # fmt: skip


def check_leaks(what: str) -> Check:
    """Return the check that nothing is in two splits; `what` names an example, say text or image."""
    return check_rows("no_leak", f"No {what} in two splits", f"each {what} in one split",
                      "remove the rows from one of the splits, or let `ingest.shares` deal them",
                      is_marked("leaked"))  # fmt: skip


def list_text_checks(params: TextChecksParams) -> list[Check]:
    """Return the checks of the text of each example."""
    return [check_leaks("text"), *_check_column(params, "text", "Texts", "No broken characters")]


def list_pair_checks(params: TextChecksParams) -> list[Check]:
    """Return the checks of the second text of each example, and of texts that pairs of several splits share."""
    return [
        *_check_column(params, PAIR, "Second texts", "No broken characters in second texts"),
        limit_measure(params, "max_near_share", "shared_share", "Share of held-out pairs with a text of train",
                      "keep such rows together with `ingest.group`"),
    ]  # fmt: skip


def _check_column(params: TextChecksParams, column: str, texts: str, unbroken: str) -> list[Check]:
    """Return the checks of the length and the characters of the texts of a column."""
    name = column.removeprefix("text_")
    return [
        check_rows(f"short_{name}", f"{texts} long enough", f"at least {params.min_chars} characters",
                   "correct the texts, or lower `validate.min_chars`",
                   is_shorter(column, params.min_chars), severity="warning"),
        check_rows(f"long_{name}", f"{texts} short enough", f"at most {params.max_chars} characters",
                   "cut the texts, or raise `validate.max_chars`",
                   is_longer(column, params.max_chars), severity="warning"),
        check_rows(f"broken_{name}", unbroken, "no U+FFFD, no mojibake",
                   "read the file with the `ingest.encoding` it was written in",
                   matches(column, BROKEN), severity="warning"),
    ]  # fmt: skip


def list_split_checks(params: ValidateParams) -> list[Check]:
    """Return the checks of the rows of each split."""
    return [
        Check("split_rows", "Rows of each split", "critical", "splits", f"at least {params.min_rows}",
              "add rows, change `ingest.shares`, or lower `validate.min_rows`",
              _BETWEEN, {"column": "rows", "min_value": params.min_rows}),
    ]  # fmt: skip


def list_class_checks(params: ClassChecksParams) -> list[Check]:
    """Return the checks of the rows of each class."""
    return [
        Check("class_rows", "Rows of each class in train", "critical", "classes", f"at least {params.min_class_rows}",
              "add rows of these classes, or lower `validate.min_class_rows`",
              _BETWEEN, {"column": "rows", "min_value": params.min_class_rows}),
        Check("class_share", "Share of each class in train", "warning", "classes",
              f"at least {params.min_class_share:g}",
              "add rows of these classes, set `finetune.class_weights`, or lower `validate.min_class_share`",
              _BETWEEN, {"column": "share", "min_value": params.min_class_share}),
        Check("majority_share", "Share of the largest class in train", "warning", "classes",
              f"at most {params.max_majority_share:g}",
              "add rows of the other classes, or raise `validate.max_majority_share`",
              _BETWEEN, {"column": "share", "max_value": params.max_majority_share}),
    ]  # fmt: skip


def list_share_checks(params: TextChecksParams) -> list[Check]:
    """Return the checks of the shares of rows with a fault."""
    return [
        limit_measure(params, "max_broken_share", "broken_share", "Share of texts with broken characters",
                 "read the file with the `ingest.encoding` it was written in", severity="critical"),
        limit_measure(params, "max_conflict_share", "conflict_share", "Share of rows whose text has several labels",
                 "correct the labels", severity="critical"),
        limit_measure(params, "max_duplicate_share", "duplicate_share", "Share of rows that repeat another",
                 "look for the cause in the source"),
        limit_measure(params, "max_near_share", "near_share", "Share of held-out rows with a near duplicate in train",
                 "keep such rows together with `ingest.group`"),
    ]  # fmt: skip


def list_change_checks(params: TextChecksParams) -> list[Check]:
    """Return the checks of what intake changed and dropped, and of what a former tool has escaped."""
    encoding = (
        "these are the quotes, dashes and the euro of Windows-1252, read as Latin-1, and are lost: set "
        "`ingest.encoding: cp1252`; if the file is UTF-8, write it anew from its source"
    )
    return [
        limit_measure(params, "max_broken_share", "misread_share", "Share of texts with C1 controls", encoding,
                 severity="critical"),
        bound_measure("misread_any", "No text with C1 controls", "warning", 0.0, encoding),
        limit_measure(params, "max_changed_share", "control_share",
                 "Share of texts with control characters made blanks",
                 "look for the program that writes them"),
        limit_measure(params, "max_changed_share", "normalised_share", "Share of texts put into NFC",
                 "write the texts in NFC, in use as in the file"),
        limit_measure(params, "max_changed_share", "trimmed_share", "Share of texts with white space at their ends",
                 "look for it after the delimiters of the file"),
        limit_measure(params, "max_dropped_share", "empty_share", "Share of rows dropped without a text",
                 "look for the cause in the source"),
        limit_measure(params, "max_dropped_share", "unlabelled_share", "Share of rows dropped without a label",
                 "label them"),
        bound_measure("stale_share", "Share of corrections that no longer fit", "warning", 0.0,
                 "take them out of the file of `ingest.corrections`; their text or its label has changed"),
        limit_measure(params, "max_escaped_share", "html_share", "Share of texts with HTML references or tags",
                 "unescape them (`html.unescape`) and remove the tags"),
        limit_measure(params, "max_escaped_share", "percent_share", "Share of texts with %20 and the like",
                 "decode them (`urllib.parse.unquote`)"),
        limit_measure(params, "max_escaped_share", "backslash_share", "Share of texts with \\u0041, \\n and the like",
                 "decode them (`json.loads`)"),
    ]  # fmt: skip


def list_drift_checks(params: DriftChecksParams) -> list[Check]:
    """Return the checks of the distance of train to the reference."""
    accept = f"look for the cause; if the drift is intended, run `python -m pipeline accept {params.task}`"
    return [
        limit_measure(params, "max_label_drift", "label_drift", "Label shares against the reference", accept),
        limit_measure(params, "max_length_drift", "length_drift", "Text lengths against the reference", accept),
    ]


def limit_measure(
    params: ValidateParams, key: str, name: str, title: str, fix: str, *, severity: Severity = "warning"
) -> Check:
    """Return the check that the measure `name` is at most the parameter `key`, which may be raised instead."""
    return bound_measure(name, title, severity, getattr(params, key), f"{fix}, or raise `validate.{key}`")


def bound_measure(name: str, title: str, severity: Severity, limit: float, remedy: str) -> Check:
    """Return the check that the measure `name` is at most `limit`."""
    expectation, kwargs = _BETWEEN, {"column": name, "max_value": limit}
    return Check(name, title, severity, "measures", f"at most {limit:g}", remedy, expectation, kwargs)


def check_rows(
    name: str, title: str, expected: str, remedy: str, test: RowTest, *, severity: Severity = "critical"
) -> Check:
    """Return the check that no row fails a test."""
    kwargs = {"column": name, "max_value": 0}
    return Check(name, title, severity, "measures", expected, remedy, _BETWEEN, kwargs, test)
