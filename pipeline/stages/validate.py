"""validate: examples -> findings, the gate before any stage that learns."""

from pipeline.checks.expectations import run_checks
from pipeline.checks.findings import collect_findings, require_passed, summarize_findings
from pipeline.checks.measures import Checks, build_schema_frames
from pipeline.checks.suite import list_schema_checks
from pipeline.core.files import read_json, write_json
from pipeline.core.stage import In, Out
from pipeline.core.tables import labels_of, read_parquet
from pipeline.settings.task import ValidateParams


def run(params: ValidateParams, kind: Checks, *, examples: In, intake: In, findings: Out) -> None:
    """Check the examples; a critical failure stops here and leaves no findings, a warning does not."""
    table, source = read_parquet(examples), read_json(intake)
    file = str(source.get("file", examples.name))

    columns = kind.columns(params)
    schema, header = list_schema_checks(table.column_names, columns), build_schema_frames(table, columns)
    checked = collect_findings(schema, run_checks(schema, header), header, {})
    require_passed(checked, schema, task=params.task, file=file)

    present = kind.profile(table)
    measures = kind.measure(table, source, params, present)
    suite, frames = kind.suite(params, labels_of(table)), kind.frames(table, present, measures)
    checked += collect_findings(suite, run_checks(suite, frames), frames, measures)
    require_passed(checked, suite, task=params.task, file=file)

    write_json(findings, {"task": params.task, "checks": checked, "profile": present})
    print(summarize_findings(checked, [*schema, *suite], task=params.task))
