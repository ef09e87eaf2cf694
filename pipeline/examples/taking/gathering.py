"""The gathering of examples: rows that may become some are counted and waiting, then those that stay are taken."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.core.document import Document
from pipeline.core.errors import DataError
from pipeline.core.tables import describe_features, description, infer_features
from pipeline.examples.intake import Examples, Parsed, StreamedIntake
from pipeline.examples.records import Records
from pipeline.examples.repeats import DROP_REASONS, Repeats, find_repeated_ids, resolve_repeats
from pipeline.examples.splits import check_complete, deal_validation
from pipeline.examples.taking.corrections import CorrectedLabels
from pipeline.examples.taking.tally import Candidates, Tally
from pipeline.examples.text import text_id
from pipeline.settings.fields import SPLITS, Split
from pipeline.settings.ingest import IngestParams

# An example on several sides of a given split stays where its loss would hurt most: in test, then in validation.
_RANK: dict[Split, int] = {"test": 0, "validation": 1, "train": 2}
# Examples of a row group, Parquet's own default; fewer if these bytes are.
GROUP_ROWS, GROUP_BYTES = 2**20, 2**28

_Mask = npt.NDArray[np.bool_]


class Gathering:
    """The rows of a file on their way to become examples."""

    def __init__(self, params: IngestParams, kind: Examples) -> None:
        """Start without rows."""
        self._params, self._kind, self._classes = params, kind, kind.classes(params)
        self._tally = Tally()
        self._corrections = CorrectedLabels(params.corrected, partial(kind.parse_label, params))
        self._is_given = params.split is not None or isinstance(params.files, dict)
        self._given = set[Split]()
        self._target = ""

    def add(self, records: Records, rows: Parsed, sides: Sequence[Split]) -> pa.Table:
        """Count the next rows of the file; return those that may become examples, without `id` and `split`."""
        self._target = rows.target
        ids = [text_id(key) for key in rows.keys]
        corrected, removed = self._corrections.apply(ids, rows.labels)
        left_out = rows.empty | removed
        filled = [row for row, label in enumerate(corrected) if label is not None and row not in left_out]
        self._tally.count(records, empty=rows.empty, removed=removed, filled=len(filled), changed=rows.changed)
        own, labels = records.take(filled), [corrected[row] for row in filled]
        dealt = self._deal(sides, rows.together or rows.keys)
        self._tally.keep(
            own,
            ids=[ids[row] for row in filled],
            sides=[sides[row] for row in filled],
            dealt=[dealt[row] for row in filled],
            labels=labels,
        )
        values = {name: [column[row] for row in filled] for name, column in rows.values.items()}
        columns = {
            **self._kind.tabulate(self._params, values, labels),
            "row": own.lines,
            **({"file": pa.array(own.files_of(range(len(filled))), pa.string())} if self._params.files else {}),
            **{name: own.columns[name].cast(pa.string()) for name in self._params.keep},
        }
        return pa.table(columns)

    def _deal(self, sides: Sequence[Split], keys: Sequence[str]) -> Sequence[Split]:
        """Return the splits with validation dealt out of train; they count if the given ones turn out to have none."""
        self._given |= {*sides} if self._is_given else set()
        if not self._is_given or "validation" in self._given:
            return sides
        return deal_validation(sides, keys, salt=self._params.salt, shares=self._params.shares)

    def finish(self, file: str, tables: Iterable[pa.Table]) -> StreamedIntake:
        """Return the examples out of the tables of rows, in their order, and the counts.

        Raises:
            DataError: A correction is no class, conflicts may not be, a given split has no rows, or none are left.
        """
        params, tally = self._params, self._tally
        self._corrections.check(file=params.corrections or "corrections", classes=self._classes)
        is_dealt = "validation" not in self._given and "test" in self._given
        rows = tally.take_candidates(file, dealt=is_dealt)
        repeats = self._resolve(rows)
        kept = self._find_kept(rows, repeats)
        splits = self._count_splits(rows, kept)
        reasons = np.bincount(repeats.reasons, minlength=len(DROP_REASONS) + 1).tolist()[1:]
        counts = {
            "task": params.task,
            "file": params.file,
            **({"files": {part.name: part.rows for part in tally.parts}} if params.files else {}),
            "rows": tally.rows,
            "kept": int(np.count_nonzero(kept)),
            "dropped": {
                "empty": tally.empty,
                "removed": tally.removed,
                "unlabelled": tally.unlabelled,
                **dict(zip(DROP_REASONS, reasons, strict=True)),
            },
            "corrections": self._corrections.count(),
            "conflicts": {
                "texts": repeats.texts,
                "rows": len(repeats.conflicts),
                "lines": rows.places.places_of(repeats.conflicts[:5].tolist()),
            },
            "changed": tally.changed,
            "splits": splits,
        }
        return StreamedIntake(join_row_groups(self._select(tables, rows, kept)), counts)

    def _resolve(self, rows: Candidates) -> Repeats:
        some = find_repeated_ids(rows.ids)
        resolved = resolve_repeats(
            rows.ids[some],
            labels=self._tally.unify(rows.labels[some]),
            sides=rows.sides[some],
            policy=self._params.conflicts,
            ranks=[_RANK[split] if self._is_given else 0 for split in SPLITS],
        )
        reasons = np.zeros(len(rows.ids), np.uint8)
        reasons[some] = resolved.reasons
        return Repeats(reasons, some[resolved.conflicts], resolved.texts)

    def _find_kept(self, rows: Candidates, repeats: Repeats) -> _Mask:
        if repeats.texts and self._params.conflicts == "fail":
            what, remedy = f"of {repeats.texts} text(s) with several labels", "Correct them, or set `conflicts`."
            faulty = ((row, None) for row in repeats.conflicts.tolist())
            raise rows.places.fault(what, faulty, remedy, column=self._target)
        kept: _Mask = repeats.reasons == 0
        if not kept.any():
            total, filled = self._tally.rows, len(kept)
            raise DataError(
                f"{rows.places.file}: none of {total} rows is left: {total - filled} have no text, no label, or were "
                f"removed by corrections, {filled} belong to texts with several labels. Correct the file, or look at "
                "`conflicts`."
            )
        if self._is_given:
            sides = rows.sides[kept]
            counts = {split: int(np.count_nonzero(sides == place)) for place, split in enumerate(SPLITS)}
            check_complete(counts, file=rows.places.file)
        return kept

    def _count_splits(self, rows: Candidates, kept: _Mask) -> Document:
        counts = Counter[tuple[Split, str]]()
        for place, split in enumerate(SPLITS):
            each = np.bincount(rows.labels[kept & (rows.sides == place)])
            for label in np.flatnonzero(each):
                for name in self._kind.name_classes(self._tally.labels[label]):
                    counts[split, name] += int(each[label])
        return {split: {name: counts[split, name] for name in self._classes or ("",)} for split in SPLITS}

    def _select(self, tables: Iterable[pa.Table], rows: Candidates, kept: _Mask) -> Iterator[pa.Table]:
        """Yield the rows that stay, with their ids and splits; the schema says what they are."""
        start, names = 0, pa.array(SPLITS)
        for table in tables:
            own = slice(start, start + table.num_rows)
            mask = kept[own]
            examples = table.filter(pa.array(mask))
            examples = examples.add_column(0, "id", _write_ids(rows.ids[own][mask]))
            examples = examples.add_column(1, "split", names.take(pa.array(rows.sides[own][mask])))
            indices = {self._kind.indices: self._classes} if self._kind.indices else {}
            features = describe_features(infer_features(examples.schema, indices))
            yield examples.replace_schema_metadata(description(self._params.task, self._classes) | features)
            start = own.stop


def _write_ids(ids: npt.NDArray[np.uint64]) -> pa.Array:
    """Return the 16 hexadecimal digits of each id."""
    digits, ends = ids.astype(">u8").tobytes().hex().encode(), np.arange(0, 16 * len(ids) + 1, 16, dtype=np.int32)
    return pa.StringArray.from_buffers(len(ids), pa.py_buffer(ends), pa.py_buffer(digits))


def join_row_groups(
    tables: Iterable[pa.Table], *, most_rows: int = GROUP_ROWS, most_bytes: int = GROUP_BYTES
) -> Iterator[pa.Table]:
    """Yield the rows as row groups, each in one piece: how a table is cut shows in the bytes of its file.

    A group has `most_rows` rows, or is closed by the table with which it has `most_bytes` bytes.
    """
    waiting: list[pa.Table] = []
    rows = size = 0
    for incoming in tables:
        table = incoming
        while rows + table.num_rows >= most_rows:
            missing = most_rows - rows
            waiting.append(table.slice(0, missing))
            yield _join(waiting)
            table, rows, size = table.slice(missing), 0, 0
        waiting.append(table)
        rows, size = rows + table.num_rows, size + table.nbytes
        if size >= most_bytes:
            yield _join(waiting)
            rows, size = 0, 0
    if rows:
        yield _join(waiting)


def _join(tables: list[pa.Table]) -> pa.Table:
    """Return the rows in one piece, and keep the tables no more."""
    whole = pa.concat_tables(tables).combine_chunks()
    tables.clear()
    return whole
