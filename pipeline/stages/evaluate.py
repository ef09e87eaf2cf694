"""evaluate: model, tokens, features, baselines -> metrics, evaluation, predictions, pictures; of the test split."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.files import publish, write_json
from pipeline.core.stage import In, Out
from pipeline.core.tables import class_names, described, labels_of, read_arrow, read_parquet, task_of, write_parquet
from pipeline.evaluate.align import Rows, aligned, held_out, matrix, require_classes, vectors
from pipeline.evaluate.evaluation import BASELINES, confusion_csv, evaluate, headline_numbers
from pipeline.evaluate.metrics import Floats
from pipeline.evaluate.projection import Seen, nearest, of_rows, projected, queried
from pipeline.models.batches import ragged
from pipeline.models.device import choose
from pipeline.models.folder import load_classifier
from pipeline.models.inference import probabilities
from pipeline.models.layers import only_what_the_head_reads, require_fit
from pipeline.settings.task import EvaluateParams


def run(
    params: EvaluateParams,
    *,
    examples: In,
    tokens: In,
    model: In,
    features: In,
    baselines: In,
    metrics: Out,
    evaluation: Out,
    predictions: Out,
    projection: Out,
    confusion: Out,
) -> None:
    """Measure the model on the test split, beside its baselines."""
    table = read_parquet(examples)
    labels, rows = labels_of(table), held_out(table, params.slices)
    encoded = aligned(read_arrow(tokens), rows.ids, like=table, what="tokens")
    require_classes(encoded["labels"], rows, what="tokens")
    others = aligned(read_parquet(baselines), rows.ids, like=table, what="baselines")
    texts, classifier = ragged(encoded["input_ids"]), load_classifier(model, labels)
    require_fit(texts, classifier)
    with only_what_the_head_reads(classifier):
        found = probabilities(classifier, texts, choose("fp32"))
    beside = {name: matrix(others[name], classes=len(labels), what=f"baseline {name}") for name in BASELINES}
    seen = _seen(params, table, features, rows, found)
    document = evaluate(params, labels, rows, {"model": found, **beside})
    columns = {"id": rows.ids, "label": rows.actual, "predicted": found.argmax(axis=1), "probabilities": list(found)}
    answers = described(pa.table(columns), task=task_of(table), labels=labels)
    write_json(metrics, headline_numbers(document))
    write_json(evaluation, document)
    write_json(projection, seen)
    write_parquet(predictions, answers)
    with publish(confusion) as partial:
        names = (class_names(answers, column) for column in ("label", "predicted"))
        partial.write_text(confusion_csv(*names), encoding="utf-8", newline="")


def _seen(params: EvaluateParams, table: pa.Table, features: Path, rows: Rows, found: Floats) -> dict[str, Any]:
    """Return the test examples as the frozen encoder sees them, and the train examples nearest to a few."""
    given = aligned(read_arrow(features), table["id"].to_pylist(), like=table, what="features", split=None)
    numbers = vectors(given.filter(pc.equal(table["split"], "test"))["features"])
    test = Seen(rows.ids, rows.texts, numbers, rows.actual, found.argmax(axis=1))
    queries = queried(test.ids, test.actual == test.predicted, found.max(axis=1), params.queries)
    parts = ((pc.equal(part["split"], "train"), vectors(part["features"])) for part in given.to_batches())
    train = of_rows((learned.to_numpy(zero_copy_only=False), one) for learned, one in parts)
    return projected(
        test,
        labels_of(table),
        points=params.points,
        queries=queries,
        near=nearest(numbers[queries], train, most=params.neighbours),
        told=lambda row: (table["text"][row].as_py(), labels_of(table)[table["label"][row].as_py()]),
    )
