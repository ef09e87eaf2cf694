"""inspect: examples, features -> suspects, the examples whose labels a person should look at."""

from pipeline.core.files import publish, write_json
from pipeline.core.progress import show_progress
from pipeline.core.stage import Gate, In, Out
from pipeline.core.tables import class_indices, labels_of, read_arrow, read_parquet
from pipeline.evaluate.align import align, to_vectors
from pipeline.inspection.search import Labelled, find_suspects
from pipeline.inspection.table import format_table, summarize_suspects, tabulate_suspects
from pipeline.settings.task import InspectParams


def run(params: InspectParams, *, examples: In, findings: Gate, features: In, inspection: Out, suspects: Out) -> None:
    """Rank the suspicious examples of all splits; `suspects` is the table in which a person corrects them."""
    table = read_parquet(examples)
    ids, classes = table["id"].to_pylist(), class_indices(table)
    vectors = to_vectors(align(read_arrow(features), ids, like=table, what="features", split=None)["features"])
    labelled = Labelled(ids, table["text"].to_pylist(), classes, vectors)
    with show_progress(table.num_rows, "example") as done:
        ranked, probabilities = find_suspects(params, labelled, classes=len(labels_of(table)), done=done)
    listed = tabulate_suspects(ranked[: params.most], table)
    summary = summarize_suspects(ranked, classes, probabilities)
    write_json(inspection, {"task": params.task, **summary, "suspects": listed})
    with publish(suspects) as partial:
        partial.write_text(format_table(listed), encoding="utf-8", newline="")
    counts = ", ".join(f"{count} {reason}" for reason, count in summary["reasons"].items())
    print(f"{len(ranked)} of {table.num_rows} examples are suspicious: {counts}")
