"""validate: examples -> findings, the gate before any stage that learns."""

from pipeline.checks.chunks import chunk_file
from pipeline.checks.expectations import run_checks
from pipeline.checks.findings import collect_findings, require_passed, summarize_findings
from pipeline.checks.kept import keep_chunks
from pipeline.checks.keys import mark_keys
from pipeline.checks.measures import Checks, build_schema_frames, measure_rows, tabulate_measures
from pipeline.checks.suite import list_schema_checks
from pipeline.core.files import read_json, write_json
from pipeline.core.parts.code import fingerprint_running
from pipeline.core.parts.ledger import open_ledger
from pipeline.core.parts.work import list_facts
from pipeline.core.stage import In, Out
from pipeline.core.tables import labels_of
from pipeline.settings.task import ValidateParams


def run(params: ValidateParams, kind: Checks, *, examples: In, intake: In, findings: Out) -> None:
    """Check the examples; a critical failure stops here and leaves no findings, a warning does not.

    What an earlier run has made of rows that are as they were is kept, if nothing else has changed.
    """
    whole, source = chunk_file(examples), read_json(intake)
    file = str(source.get("file", examples.name))

    columns = kind.columns(params)
    schema, header = list_schema_checks(whole.schema.names, columns), build_schema_frames(whole.schema, columns)
    checked = collect_findings(schema, run_checks(schema, header), header, {})
    require_passed(checked, schema, task=params.task, file=file)

    facts = {"params": params.model_dump(mode="json"), "schema": list_facts(whole.schema, but=("task",))}
    ledger = open_ledger(findings, fingerprint_running("validate", "checks", kind), **facts)
    chunks = kind.derive(keep_chunks(whole, examples, ledger))
    suite, present = kind.suite(params, labels_of(whole.schema)), kind.profile(chunks)
    measures = kind.measure(chunks, source, params, present)
    measures |= measure_rows(suite, mark_keys(chunks, kind.keys))
    frames = kind.frames(chunks, present) | {"measures": tabulate_measures(measures)}
    checked += collect_findings(suite, run_checks(suite, frames), frames, measures)
    require_passed(checked, suite, task=params.task, file=file)

    write_json(findings, {"task": params.task, "checks": checked, "profile": present})
    print(summarize_findings(checked, [*schema, *suite], task=params.task), chunks.describe(), sep="\n")
