"""The task of params.yaml that fits a guess, with comments on what was found and what could be changed."""

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.core.document import Document
from pipeline.core.errors import UsageError, listed
from pipeline.core.format import count, plural, visible
from pipeline.examples.read import Layout
from pipeline.project.columns import is_finite_number
from pipeline.project.folders import tell_split
from pipeline.project.guess import Guess
from pipeline.project.params_file import spell

FITTED_REMARK = "fitted to few rows; more rows prove more"
OTHER_ENCODER = "`python -m pipeline pin OWNER/NAME` adds another of the Hub"
_COLUMN = 33  # of the comments in params.yaml
_SHOWN = 8  # classes in a comment
_MOST_TYPOS = 2  # rows of a class that may be a mistyped name
_LONG_WORDS = 90  # of which 128 tokens lose some


Entry = tuple[str, Any, str]  # a key of `ingest`, its value, a remark on it


def name_task(path: Path, taken: Mapping[str, object]) -> str:
    """Return the name of a file as one that a task may have, and that no source has taken."""
    name = make_name(path.name.partition(".")[0])
    return f"{name}-texts" if name in taken else name


def require_name(name: str, taken: Mapping[str, object]) -> str:
    """Return a name that was given for a task.

    Raises:
        UsageError: It is not one, or a source has taken it.
    """
    if name != make_name(name):
        raise UsageError(f"--name: letters a to z, digits, `_` and `-`, found {name!r}. Take {make_name(name)!r}.")
    if name in taken:
        raise UsageError(f"--name: a source is called {name!r}. Name the task otherwise.")
    return name


def make_name(words: str) -> str:
    """Return words as a name of params.yaml: letters without accents, digits, `_` and `-`, 56 characters at most."""
    plain = re.sub(r"[\u0300-\u036f]", "", unicodedata.normalize("NFKD", words)).lower()
    return re.sub(r"[^a-z0-9_-]+", "-", plain)[:56].strip("-_") or "task"


def render_guess(name: str, file: str, guess: Guess, *, encoder: str, limits: Mapping[str, int]) -> str:
    """Return the lines of a task.

    `file` lies below data/raw; `encoder` is a folder below data/; `limits` are keys of `validate` that fit the data
    if the common ones do not.
    """
    lines = [
        line_of(f"  {spell(name)}:", f"{plural(sum(guess.counts.values()), 'row')}: {describe_counts(guess.counts)}"),
        "    kind: text-classification",
        line_of(f"    encoder: {encoder}", OTHER_ENCODER),
        "    ingest:",
        f"      file: {spell(file)}",
        *(line_of(f"      {key}: {spell(value)}", remark) for key, value, remark in _ingest(guess)),
        *_remark_labels(guess),
        *(["    validate:"] if limits else []),
        *(line_of(f"      {key}: {value}", FITTED_REMARK) for key, value in limits.items()),
        "    # finetune: {epochs: 3, learning_rate: 1.0e-4}  # any key of a stage above, for this task alone",
    ]
    return "".join(f"{line}\n" for line in lines)


def list_doubts(guess: Guess, limits: Mapping[str, int]) -> list[str]:
    """Return what a person has to check in a guess, a line each; `limits` are those that were fitted to few rows."""
    doubts = []
    if guess.header is not None:
        doubts.append(f"The first line looks like a row, {listed(guess.header)}. If so, start again with a header.")
    if guess.nameless:
        doubts.append(f"Not read for want of a name in the first line: {plural(guess.nameless, 'column')}.")
    if guess.other_labels:
        doubts.append(f"Columns that might be the label too: {listed(guess.other_labels)}. Name one by `--label`.")
    rare = [visible(label) for label, rows in guess.counts.items() if rows <= _MOST_TYPOS]
    if rare:
        doubts.append(f"In {_MOST_TYPOS} rows at most: {', '.join(rare[:_SHOWN])}. If a name is mistyped, correct it.")
    if "min_rows" in limits:
        doubts.append(f"A split has {limits['min_rows']} rows: with so few nothing can be proven. Add rows if you can.")
    if guess.layout.encoding == "cp1252":
        doubts.append("The file is no UTF-8 and was read as cp1252: check a few texts.")
    if guess.threshold is not None:
        doubts.append(
            f"The labels are numbers, cut at their median, {guess.threshold.at:g}: name the sides in `threshold`."
        )
    if isinstance(guess.files, dict) and any(tell_split(name) != "test" for name in guess.files.get("test", ())):
        doubts.append("No file is named test: that of validation stands for it, and validation is dealt from train.")
    if guess.unlabelled:
        doubts.append(f"Dropped for want of a label: {plural(guess.unlabelled, 'row')}.")
    return doubts


def fit_limits(splits: Mapping[str, Mapping[str, int]], common: Document) -> dict[str, int]:
    """Return the limit of `validate` that the rows of the smallest split do not reach, lowered to what they are.

    That of the rows of a class stays: a class of one row is a mistyped name more often than a class, and `validate`
    then stops before anything learns from it.
    """
    rows = min(sum(classes.values()) for classes in splits.values())
    return {"min_rows": max(1, rows)} if rows < common["min_rows"] else {}


def list_layout(layout: Layout) -> list[Entry]:
    """Return the keys that say how a file holds its rows, if they differ from the common ones."""
    found: list[Entry] = []
    if layout.format != "delimited":
        found.append(("format", layout.format, ""))
    else:
        found += [("delimiter", layout.delimiter, "")] if layout.delimiter != "," else []
        found += [("quote", layout.quote, "")] if layout.quote != '"' else []
    if layout.encoding != "utf-8":
        remark = "no UTF-8; check a few texts" if layout.encoding == "cp1252" else ""
        found.append(("encoding", layout.encoding, remark))
    return found


def _ingest(guess: Guess) -> list[Entry]:
    """Return the keys of `ingest` that differ from the common ones, each with its value and a remark."""
    found: list[Entry] = []
    if guess.files is not None:
        found.append(("files", guess.files, "" if isinstance(guess.files, dict) else "split by `ingest.shares`"))
    found += [*list_layout(guess.layout), ("text", guess.text, ""), ("label", guess.label, "")]
    if guess.labels is not None:
        found.append(("labels", guess.labels, ""))
    if guess.threshold is not None:
        found.append(("threshold", guess.threshold.model_dump(), "cut at the median; name the sides"))
    if guess.split is not None:
        found.append(("split", guess.split, ""))
    if guess.unlabelled:
        found.append(("unlabelled", "drop", f"{plural(guess.unlabelled, 'row')} without a label"))
    return found


def _remark_labels(guess: Guess) -> list[str]:
    """Return the comment of a threshold in place of labels, if these are numbers that it could cut."""
    labels = list(guess.labels or ())
    if len(labels) < 3 or not all(map(is_finite_number, labels)):
        return []
    at = labels[(len(labels) - 1) // 2]
    remark = "in place of `labels`, two classes of these numbers"
    return [f"      # threshold: {{at: {at}, above: high, otherwise: low}}  # {remark}"]


def describe_counts(counts: Mapping[str, int]) -> str:
    """Return the classes with their rows, the largest first; of many the first ones."""
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    shown = ", ".join(f"{visible(label)} {count(rows)}" for label, rows in ordered[:_SHOWN])
    return shown + (f" and {len(ordered) - _SHOWN} more" if ordered[_SHOWN:] else "")


def line_of(code: str, comment: str) -> str:
    """Return a line of params.yaml with its comment in the common column."""
    return f"{code.ljust(_COLUMN - 1)} # {comment}" if comment else code
