"""The sieve that parts faulty rows from the others, some thousand at a time, and reports them as those of one file."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from pipeline.examples.faults import RowErrors
from pipeline.examples.records import Records, join_records

MOST_KEPT = 2**20  # as many as are held in memory
PIECES = (256, 16)  # the smaller, the fewer good rows are kept with a faulty one, and the more often each is parsed

_Rows = TypeVar("_Rows")


class Sieve(Generic[_Rows]):
    """_Rows parsed some thousand at a time. Whether a row is faulty depends on it alone, or on other faulty rows.

    The pieces with faulty rows are kept, and parsed again as one, so that an error is that of the whole file. Whether
    the file has what it must (a row of each class, say) is asked of witnesses: the first row of each label.

    Args:
        parse: `parse(records)` reads rows; it raises `RowErrors` if some are faulty, or if the records are `complete`
            and lack what a file must have.
        labels: `labels(rows)` are the labels of what `parse` returned.
        reread: `reread(most)` are the first rows of the file again, at most so many.
        most: The rows, faulty or beside faulty ones, that an error counts.
        pieces: The sizes, falling, of the pieces that are parsed to find the faulty rows of a larger one.
    """

    def __init__(
        self,
        parse: Callable[[Records], _Rows],
        labels: Callable[[_Rows], Sequence[Any]],
        reread: Callable[[int], Records],
        *,
        most: int = MOST_KEPT,
        pieces: Sequence[int] = PIECES,
    ) -> None:
        """Start without rows."""
        self._most, self._pieces = most, pieces
        self._parse, self._labels, self._reread = parse, labels, reread
        self._kept: list[Records] = []  # faulty pieces and witnesses, in the order of the file
        self._witnesses: list[Records] = []
        self._faults: list[str] = []
        self._rows = self._read = self._faulty = 0
        self._seen = set[Any]()
        self._asked = 0  # labels that had a witness when these were last asked
        self._is_complete = False

    def sift(self, records: Records) -> Iterator[tuple[Records, _Rows]]:
        """Yield the rows of a piece of the file, but for those beside faulty ones, and what they parse to."""
        self._faults += records.faults
        self._rows += len(records.lines)
        if not self._kept:
            self._kept.append(records.take([]))
        if len(records.lines) and self._faulty < self._most:
            self._read += len(records.lines)
            yield from self._sift(records._replace(faults=()))

    def _sift(self, records: Records) -> Iterator[tuple[Records, _Rows]]:
        try:
            rows = self._parse(records)
        except RowErrors:
            size = next((size for size in self._pieces if size < len(records.lines)), None)
            if size is None:
                self._kept.append(records)
                self._faulty += len(records.lines)
            else:
                for piece in records.divide(size):
                    yield from self._sift(piece)
        else:
            if not self._is_complete:
                self._keep_witnesses(records, self._labels(rows))
            yield records, rows

    def _keep_witnesses(self, records: Records, labels: Sequence[Any]) -> None:
        first = {label: row for row, label in reversed([*enumerate(labels)]) if label not in self._seen}
        if first:
            witnesses = records.take(sorted(first.values()))
            self._kept.append(witnesses)
            self._witnesses.append(witnesses)
            self._seen |= first.keys()
        if len(self._seen) > 2 * self._asked:  # as seldom as this, the time is linear in the labels
            self._asked = len(self._seen)
            self._is_complete = self._find_error(join_records(self._witnesses)) is None

    def check(self) -> None:
        """Check that no row was faulty, and that the file has what it must have.

        Raises:
            RowErrors: Otherwise; the error is that of all rows parsed at once.
        """
        kept = join_records(self._kept)._replace(faults=tuple(self._faults))
        error = self._find_error(kept._replace(partial=True))
        if not self._is_complete and self._read == self._rows:
            whole = self._find_error(kept)
            if str(whole) != str(error):  # it lacks something, and names the commonest labels of all rows
                counted = min(self._rows, self._most)
                self._refuse(self._find_error(self._reread(self._most)) or whole, counted)
        self._refuse(error, self._read)

    def _refuse(self, error: RowErrors | None, rows: int) -> None:
        if error is None:
            return
        if rows < self._rows:
            note = f"only the first {rows} of {self._rows} row(s) were counted. Correct these first, then run again."
            raise RowErrors(*error.errors, f"{self._kept[0].file}: {note}")
        raise error

    def _find_error(self, records: Records) -> RowErrors | None:
        try:
            self._parse(records)
        except RowErrors as error:
            return error
        return None
