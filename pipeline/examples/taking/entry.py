"""The ways into an intake: all rows of a file at once, or some thousand at a time."""

from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa

from pipeline.examples.faults import Faults
from pipeline.examples.intake import Examples, Intake, Parsed, StreamedIntake
from pipeline.examples.records import Records, join_records
from pipeline.examples.splits import read_groups, split_by_column, split_by_hash
from pipeline.examples.taking.gathering import Gathering
from pipeline.examples.taking.sieve import Sieve
from pipeline.examples.taking.spool import Spool
from pipeline.settings.fields import Split
from pipeline.settings.ingest import IngestParams


def take_in(records: Records, params: IngestParams, kind: Examples) -> Intake:
    """Return a task's examples in the order of the file, and their counts.

    Columns: `id`, `split` strings, those of the kind, `row` int64 (line of its file where the row starts, from 1), of
    several files `file` (string, the name of the row's), then `params.keep`, strings or null. The schema says what
    they hold, to the library `datasets` too.

    Raises:
        DataError: Rows have faults, or break the rules of `params` for examples, groups and splits (all of these at
            once); or a correction is no class, conflicts may not be, or no rows are left.
    """
    gathering = Gathering(params, kind)
    table = gathering.add(records, *_parse_rows(records, params, kind))
    groups, counts = gathering.finish(records.file, [table])
    return Intake(pa.concat_tables(groups).combine_chunks(), counts)


def stream_in(
    open_records: Callable[[], Iterator[Records]], params: IngestParams, kind: Examples, spool: Spool
) -> StreamedIntake:
    """Return what `take_in` does of all records that `open_records()` reads from the start, some thousand rows each.

    Memory grows by some 50 bytes a row, and by what other labels than classes take. The examples wait in `spool`.

    Raises:
        DataError: As `take_in`; of a million faulty rows or more, those after them are not counted.
    """
    gathering, file = Gathering(params, kind), ""
    sieve = Sieve(
        lambda records: _parse_rows(records, params, kind),
        lambda parsed: parsed[0].labels,
        lambda most: join_records([*_limit(open_records(), most)]),
    )
    for piece in open_records():
        file = piece.file
        for records, (rows, sides) in sieve.sift(piece):
            spool.add(gathering.add(records, rows, sides))
    sieve.check()
    return gathering.finish(file, spool.read())


def _limit(pieces: Iterator[Records], most: int) -> Iterator[Records]:
    """Yield the pieces with the first rows, at most so many."""
    for piece in pieces:
        yield piece.take(range(min(most, len(piece.lines))))
        most -= len(piece.lines)
        if most <= 0:
            return


def _parse_rows(records: Records, params: IngestParams, kind: Examples) -> tuple[Parsed, Sequence[Split]]:
    """Return the rows and their splits, each row checked on its own; all kinds of faults are raised together.

    Raises:
        RowErrors: Rows have faults, or break the rules for examples, groups and splits.
    """
    faults = Faults(records.faults)
    rows, sides = kind.parse(records, params, faults), list[Split]()
    with faults.gather():
        sides = _choose_sides(records, rows.together or rows.keys, params)
    faults.check()
    return rows, sides


def _choose_sides(records: Records, keys: Sequence[str], params: IngestParams) -> list[Split]:
    sides = records.sides() if params.split is None else split_by_column(records, params.split)
    if sides is not None:
        return sides
    values = keys if params.group is None else read_groups(records, params.group)
    return split_by_hash(values, salt=params.salt, shares=params.shares)
