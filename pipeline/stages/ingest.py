"""ingest: a task's raw file -> examples with labels and splits."""

from pipeline.core.files import write_json
from pipeline.core.stage import In, Out
from pipeline.core.tables import write_parquet
from pipeline.examples.intake import take_in
from pipeline.examples.read import read_records
from pipeline.settings.ingest import IngestParams


def run(params: IngestParams, *, raw: In, examples: Out, intake: Out) -> None:
    """Read `params.file` below `raw` strictly; write one row per example, and the counts of the dropped rows."""
    taken = take_in(read_records(raw / params.file, params), params)
    write_parquet(examples, taken.examples)
    write_json(intake, taken.counts)
    dropped = ", ".join(f"{count} {reason}" for reason, count in taken.counts["dropped"].items())
    print(f"{taken.counts['rows']} rows read, {taken.counts['kept']} kept; dropped: {dropped}")
