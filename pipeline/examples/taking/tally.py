"""The tally of an intake: counts of all rows, and some bytes of each that may become an example."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.core.document import Document
from pipeline.examples.records import Part, Records
from pipeline.settings.fields import SPLITS, Split

_Bytes = npt.NDArray[np.uint8]
_CODES = {split: code for code, split in enumerate(SPLITS)}
_MOST_LABELS = 2**16  # that are looked up; a task with more hardly has classes
_LISTED = 5


class Candidates(NamedTuple):
    """The rows that may become examples, N of them, in the order of the file.

    Args:
        ids: The number whose 16 hexadecimal digits are the id, (N,).
        sides: The place in `SPLITS` of the split, (N,).
        labels: The place in the labels of the tally, (N,).
        places: Where they start.
    """

    ids: npt.NDArray[np.uint64]
    sides: _Bytes
    labels: npt.NDArray[np.int32]
    places: Records


class Tally:
    """Counts of rows, of those that are `empty` and so on, and what is kept of the others, some 25 bytes each.

    `parts` are the files with all their rows, `changed` says how many rows each change touched, and the first lines.
    """

    def __init__(self) -> None:
        """Start without rows."""
        self.rows = self.empty = self.removed = self.unlabelled = 0
        self.parts: list[Part] = []
        self.changed: dict[str, Document] = {}
        self.labels: list[Any] = []
        self._known: dict[Any, int] = {}
        self._ids: list[npt.NDArray[np.uint64]] = []
        self._lines: list[npt.NDArray[np.int64]] = []
        self._sides: list[_Bytes] = []
        self._dealt: list[_Bytes] = []
        self._codes: list[npt.NDArray[np.int32]] = []
        self._own_parts: list[Part] = []

    def count(self, records: Records, *, empty: set[int], removed: set[int], filled: int, changed: Document) -> None:
        """Count rows, of which `filled` are neither empty nor removed, and have a label."""
        rows, left_out = len(records.lines), len(empty | removed)
        self.rows += rows
        self.empty += len(empty)
        self.removed += left_out - len(empty)
        self.unlabelled += rows - left_out - filled
        _extend(self.parts, records.parts)
        for name, part in changed.items():
            own = self.changed.setdefault(name, {"rows": 0, "lines": []})
            own["rows"] += part["rows"]
            own["lines"] += part["lines"][: _LISTED - len(own["lines"])]

    def keep(
        self,
        filled: Records,
        *,
        ids: Iterable[str],
        sides: Sequence[Split],
        dealt: Sequence[Split],
        labels: Sequence[Any],
    ) -> None:
        """Keep rows that may become examples; `sides` are their splits as given, `dealt` with validation from train."""
        self._ids.append(np.frombuffer(bytes.fromhex("".join(ids)), ">u8").astype(np.uint64))
        self._lines.append(filled.lines.to_numpy().astype(np.int64))
        self._sides.append(_encode(sides))
        self._dealt.append(self._sides[-1] if dealt is sides else _encode(dealt))
        self._codes.append(np.fromiter(map(self._encode_label, labels), np.int32, len(labels)))
        _extend(self._own_parts, filled.parts)

    def _encode_label(self, label: Any) -> int:
        """Return a place of the label in `labels`; only one that is not among the first many may have several."""
        code = self._known.get(label)
        if code is None:
            code = len(self.labels)
            self.labels.append(label)
            if code < _MOST_LABELS:
                self._known[label] = code
        return code

    def unify(self, codes: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """Return places in `labels` that are equal if the labels are."""
        first: dict[Any, int] = {}
        return np.fromiter((first.setdefault(self.labels[code], code) for code in codes.tolist()), np.int32, len(codes))

    def take_candidates(self, file: str, *, dealt: bool) -> Candidates:
        """Return the rows that are kept, of a file or folder, and keep them no more."""
        sides = _join(self._dealt if dealt else self._sides, np.uint8)
        lines = pa.chunked_array([pa.array(_join(self._lines, np.int64))])
        places = Records(file, lines, {}, tuple(self._own_parts))
        return Candidates(_join(self._ids, np.uint64), sides, _join(self._codes, np.int32), places)


def _extend(parts: list[Part], more: Iterable[Part]) -> None:
    """Add parts of files to those before; the rest of a file is no part of its own."""
    for part in more:
        if parts and parts[-1].name == part.name:
            parts[-1] = part._replace(rows=parts[-1].rows + part.rows)
        else:
            parts.append(part)


def _encode(sides: Sequence[Split]) -> _Bytes:
    return np.fromiter((_CODES[side] for side in sides), np.uint8, len(sides))


def _join(pieces: list[npt.NDArray[Any]], kind: type[np.generic]) -> npt.NDArray[Any]:
    """Return all pieces as one, and empty the list."""
    whole = np.concatenate([np.empty(0, kind), *pieces])
    pieces.clear()
    return whole
