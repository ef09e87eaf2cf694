"""validate: examples -> findings, the gate before any stage that learns."""

from pipeline.checks.chunks import chunk_file
from pipeline.checks.expectations import run_checks
from pipeline.checks.findings import collect_findings, require_passed, summarize_findings
from pipeline.checks.keys import mark_keys
from pipeline.checks.measures import Checks, build_schema_frames, measure_rows, tabulate_measures
from pipeline.checks.suite import list_schema_checks
from pipeline.core.files import read_json, write_json
from pipeline.core.stage import In, Out
from pipeline.core.tables import labels_of
from pipeline.settings.task import ValidateParams


def run(params: ValidateParams, kind: Checks, *, examples: In, intake: In, findings: Out) -> None:
    """Check the examples; a critical failure stops here and leaves no findings, a warning does not."""
    raw, source = chunk_file(examples), read_json(intake)
    file = str(source.get("file", examples.name))

    columns = kind.columns(params)
    schema, header = list_schema_checks(raw.schema.names, columns), build_schema_frames(raw.schema, columns)
    checked = collect_findings(schema, run_checks(schema, header), header, {})
    require_passed(checked, schema, task=params.task, file=file)

    chunks, suite = kind.derive(raw), kind.suite(params, labels_of(raw.schema))
    present = kind.profile(chunks)
    measures = kind.measure(chunks, source, params, present)
    measures |= measure_rows(suite, mark_keys(chunks, kind.keys))
    frames = kind.frames(chunks, present) | {"measures": tabulate_measures(measures)}
    checked += collect_findings(suite, run_checks(suite, frames), frames, measures)
    require_passed(checked, suite, task=params.task, file=file)

    write_json(findings, {"task": params.task, "checks": checked, "profile": present})
    print(summarize_findings(checked, [*schema, *suite], task=params.task))
