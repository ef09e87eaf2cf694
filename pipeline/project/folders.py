"""The files of a folder laid out like a dataset of the Hub, and the splits that their names tell."""

import re
from collections.abc import Sequence
from pathlib import Path

from pipeline.core.errors import UsageError
from pipeline.settings.fields import SPLITS, Split

_SUFFIXES = (".parquet", ".jsonl", ".csv", ".tsv", ".json", ".txt")  # the first that there is; the others describe it
_WORDS: dict[str, Split] = {
    **{split: split for split in SPLITS},
    **{"training": "train", "val": "validation", "valid": "validation", "dev": "validation", "testing": "test"},
}
_WORD = re.compile(r"[a-z]+")
_PART = re.compile(r"-\d{5}-of-\d{5}(?=\.)")

FileGlobs = list[str] | dict[Split, list[str]]


def list_data(folder: Path) -> list[str]:
    """Return the files of data below a folder, all of one kind, by their path in it.

    Raises:
        UsageError: There are none.
    """
    names = choose_data(sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()))
    if not names:
        raise UsageError(f"{folder}: has no file of data. Name a file, or a folder with {', '.join(_SUFFIXES)}.")
    return names


def choose_data(names: Sequence[str]) -> list[str]:
    """Return the paths that end like files of data, all of the first kind that there is, without hidden ones."""
    seen = [name for name in names if not any(part.startswith(".") for part in name.split("/"))]
    kinds = ([name for name in seen if name.lower().removesuffix(".gz").endswith(suffix)] for suffix in _SUFFIXES)
    return next(filter(None, kinds), [])


def group_files(names: Sequence[str]) -> FileGlobs:
    """Return the files as `ingest.files` has them: by split if each name tells one and there is train and another.

    Validation stands for a test that is not there. The parts of a file are named by one glob.
    """
    splits = {name: tell_split(name) for name in names}
    groups: dict[Split, list[str]] = {
        split: join_parts([name for name in names if splits[name] == split])
        for split in SPLITS
        if split in splits.values()
    }
    if None in splits.values() or "train" not in groups or len(groups) < 2:
        return join_parts(names)
    if "test" not in groups:
        groups["test"] = groups.pop("validation")
    return groups


def tell_split(name: str) -> Split | None:
    """Return the split that a path names, in its last part that does."""
    for part in reversed(name.lower().split("/")):
        told = {_WORDS[word] for word in _WORD.findall(part) if word in _WORDS}
        if len(told) == 1:
            return told.pop()
    return None


def join_parts(names: Sequence[str]) -> list[str]:
    """Return the names as globs, of which one names all parts of a file."""
    return list(dict.fromkeys(_PART.sub("-*", name) for name in names))
