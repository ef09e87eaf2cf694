"""ingest: a task's raw file -> examples with labels and splits."""

from pipeline.core.files import sha256, write_json
from pipeline.core.stage import In, Out
from pipeline.core.tables import write_parquet
from pipeline.examples.intake import Examples, take_in
from pipeline.examples.naming import adopt_names
from pipeline.examples.read import read_records
from pipeline.settings.ingest import IngestParams


def run(params: IngestParams, kind: Examples, *, raw: In, examples: Out, intake: Out) -> None:
    """Read `params.file` below `raw` strictly; write one row per example, and the counts of the dropped rows."""
    file = raw / params.file
    records, named = adopt_names(file, read_records(file, params), params)
    taken = take_in(records, named, kind)
    paths = [file / name for name in taken.counts["files"]] if params.files else [file]
    write_parquet(examples, taken.examples)
    write_json(intake, {**taken.counts, "sha256": {path.relative_to(raw).as_posix(): sha256(path) for path in paths}})
    dropped = ", ".join(f"{count} {reason}" for reason, count in taken.counts["dropped"].items())
    print(f"{taken.counts['rows']} rows read, {taken.counts['kept']} kept; dropped: {dropped}")
