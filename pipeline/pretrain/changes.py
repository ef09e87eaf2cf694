"""The changes of the corpus's texts on the way in: counted, and at most a share of the sentences of a source."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from pipeline.checks.suite import BROKEN
from pipeline.core.errors import DataError
from pipeline.examples.text import CHANGES
from pipeline.settings.pretrain import CorpusParams

_BROKEN = re.compile(BROKEN)
_SHOWN = 5  # documents
_ENCODING = "Read the file with the `encoding` it was written in"
# Blanks at the ends are left out: they come from how documents are cut into sentences.
_KINDS = {
    "broken": ("with broken characters (U+FFFD or mojibake)", "max_broken_share", _ENCODING),
    "misread": ("with C1 controls (Windows-1252 read as Latin-1)", "max_broken_share", _ENCODING),
    "controls": ("with control characters made blanks", "max_changed_share", "Look for the program that writes them"),
    "normalised": ("put into NFC", "max_changed_share", "Write the texts in NFC, in use as in the file"),
}
_TOUCHES: Mapping[str, Callable[[str], bool]] = {**CHANGES, "broken": lambda text: _BROKEN.search(text) is not None}


class ChangeCount:
    """The number of sentences of `file` that each kind of change touched, and the first documents with one."""

    def __init__(self, file: str) -> None:
        """Start without sentences."""
        self.file = file
        self.sentences = 0
        self.counts = dict.fromkeys(_KINDS, 0)
        self.documents: dict[str, list[int]] = {kind: [] for kind in _KINDS}

    def watch(self, documents: Iterable[list[str]]) -> Iterator[list[str]]:
        """Yield the documents as they are, and count their sentences."""
        for number, document in enumerate(documents, start=1):
            for sentence in document:
                self.sentences += 1
                for kind in _KINDS:
                    if _TOUCHES[kind](sentence):
                        self._add(kind, number)
            yield document

    def _add(self, kind: str, number: int) -> None:
        self.counts[kind] += 1
        first = self.documents[kind]
        if len(first) < _SHOWN and number not in first:
            first.append(number)


def judge_changes(changes: Mapping[str, ChangeCount], params: CorpusParams) -> Sequence[str]:
    """Return the warnings about the sources, by their names: too many sentences were changed.

    Raises:
        DataError: Too many sentences of a source are broken; the message names all of these sources.
    """
    errors: list[str] = []
    warnings: list[str] = []
    for count in changes.values():
        for kind, (what, limit, remedy) in _KINDS.items():
            most, touched = getattr(params, limit), count.counts[kind]
            if touched > most * count.sentences:
                first = ", ".join(map(str, count.documents[kind]))
                message = (
                    f"{count.file}: at most {most:.2%} of the sentences may be {what}, found {touched} of "
                    f"{count.sentences} (documents {first}). {remedy}, or raise `corpus.{limit}`."
                )
                (errors if limit == "max_broken_share" else warnings).append(message)
    if errors:
        raise DataError("\n".join(errors))
    return warnings
