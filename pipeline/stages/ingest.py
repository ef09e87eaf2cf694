"""ingest: a task's raw file -> examples with labels and splits."""

import hashlib
from functools import partial

from pipeline.core.document import Document
from pipeline.core.files import sha256, write_json
from pipeline.core.stage import In, Out
from pipeline.core.tables import write_parquet
from pipeline.examples.intake import Examples
from pipeline.examples.naming import adopt_names, stream_named
from pipeline.examples.taking.entry import stream_in
from pipeline.examples.taking.spool import Spool
from pipeline.settings.ingest import IngestParams

MOST_FILES = 20  # that are listed one by one


def run(params: IngestParams, kind: Examples, *, raw: In, examples: Out, intake: Out) -> None:
    """Read `params.file` below `raw` strictly; write one row per example, and the counts of the dropped rows.

    Beside some bytes a row, memory does not grow with the file.
    """
    file = raw / params.file
    named = adopt_names(file, params)
    with Spool(examples.parent) as spool:
        taken = stream_in(partial(stream_named, file, params), named, kind, spool)
        write_parquet(examples, taken.groups)
    paths = [file / name for name in taken.counts["files"]] if params.files else [file]
    sums = {path.relative_to(raw).as_posix(): sha256(path) for path in paths}
    write_json(intake, _cap_files({**taken.counts, "sha256": sums}))
    dropped = ", ".join(f"{count} {reason}" for reason, count in taken.counts["dropped"].items())
    print(f"{taken.counts['rows']} rows read, {taken.counts['kept']} kept; dropped: {dropped}")
    if (corrected := taken.counts["corrections"])["given"]:
        counts = f"{corrected['applied']} applied, {corrected['stale']['count']} fit no row"
        print(f"{corrected['given']} corrections given: {counts}")


def _cap_files(counts: Document) -> Document:
    """Return the counts with many files as one: all their rows, and the sha256 of the lines that sha256sum writes."""
    sums: dict[str, str] = counts["sha256"]
    if len(sums) <= MOST_FILES:
        return counts
    lines = "".join(f"{digest}  {name}\n" for name, digest in sums.items())
    title = f"{counts['file']}: {len(sums)} files"
    whole = {title: hashlib.sha256(lines.encode()).hexdigest()}
    return {**counts, "files": {title: counts["rows"]}, "sha256": whole}
