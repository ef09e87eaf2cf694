"""validate: examples -> findings, the gate before everything that learns."""

from pipeline.checks.expectations import verdicts
from pipeline.checks.findings import gate, judge, summary
from pipeline.checks.measures import frames, measured, schema_frames, train_profile
from pipeline.checks.suite import checks, schema_checks
from pipeline.core.files import read_json, write_json
from pipeline.core.stage import In, Out
from pipeline.core.tables import labels_of, read_parquet
from pipeline.settings.task import ValidateParams


def run(params: ValidateParams, *, examples: In, intake: In, findings: Out) -> None:
    """Judge the examples; a critical failure stops here and leaves no findings, a warning goes on."""
    table, source = read_parquet(examples), read_json(intake)
    file = str(source.get("file", examples.name))

    schema, header = schema_checks(table.column_names), schema_frames(table)
    found = judge(schema, verdicts(schema, header), header, {})
    gate(found, schema, task=params.task, file=file)

    present = train_profile(table)
    measures = measured(table, source, params, present)
    suite, facts = checks(params, labels_of(table)), frames(table, present, measures)
    found += judge(suite, verdicts(suite, facts), facts, measures)
    gate(found, suite, task=params.task, file=file)

    write_json(findings, {"task": params.task, "checks": found, "profile": present})
    print(summary(found))
