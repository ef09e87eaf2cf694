"""evaluate: model, tokens, baselines -> metrics, evaluation, predictions, confusion; on the test split alone."""

import pyarrow as pa

from pipeline.alignment import aligned, held_out, matrix, require_classes
from pipeline.batches import ragged
from pipeline.device import choose
from pipeline.evaluation import BASELINES, confusion_csv, evaluate, headline_numbers
from pipeline.files import publish, write_json
from pipeline.inference import probabilities
from pipeline.loading import load_classifier
from pipeline.models import only_what_the_head_reads, require_fit
from pipeline.params import EvaluateParams
from pipeline.stage import In, Out
from pipeline.tables import described, labels_of, read_arrow, read_parquet, task_of, write_parquet


def run(
    params: EvaluateParams,
    *,
    examples: In,
    tokens: In,
    model: In,
    baselines: In,
    metrics: Out,
    evaluation: Out,
    predictions: Out,
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
    document = evaluate(params, labels, rows, {"model": found, **beside})
    names = pa.array(labels, pa.string())
    actual, predicted = names.take(pa.array(rows.actual)), names.take(pa.array(found.argmax(axis=1)))
    columns = {"id": rows.ids, "label": actual, "predicted": predicted, "probabilities": list(found)}
    write_json(metrics, headline_numbers(document))
    write_json(evaluation, document)
    write_parquet(predictions, described(pa.table(columns), task=task_of(table), labels=labels))
    with publish(confusion) as partial:
        partial.write_text(confusion_csv(actual.to_pylist(), predicted.to_pylist()), encoding="utf-8", newline="")
