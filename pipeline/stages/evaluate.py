"""evaluate: examples, tokens, model, decision, features, baselines -> metrics, predictions, all that the page shows."""

from pipeline.calibration.decision import Decision
from pipeline.core.files import publish, read_json, write_json
from pipeline.core.stage import In, Out
from pipeline.core.tables import labels_of, read_arrow, read_parquet, write_parquet
from pipeline.evaluate.align import align, require_classes, select_test_rows, to_matrix
from pipeline.evaluate.evaluation import BASELINE_NAMES, evaluate
from pipeline.evaluate.flat_metrics import flatten_metrics
from pipeline.evaluate.predictions import confusion_csv, tabulate_predictions
from pipeline.evaluate.projection import project_examples
from pipeline.models.batches import to_ragged
from pipeline.models.device import choose_device
from pipeline.models.folder import load_classifier
from pipeline.models.inference import predict_probabilities
from pipeline.models.layers import require_fit, shorten_last_layer
from pipeline.settings.task import EvaluateParams


def run(
    params: EvaluateParams,
    *,
    examples: In,
    tokens: In,
    model: In,
    calibration: In,
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
    labels, rows = labels_of(table), select_test_rows(table, params.slices)
    encoded = align(read_arrow(tokens), rows.ids, like=table, what="tokens")
    require_classes(encoded["labels"], rows, what="tokens")
    others = align(read_parquet(baselines), rows.ids, like=table, what="baselines")
    texts, classifier = to_ragged(encoded["input_ids"]), load_classifier(model, labels)
    require_fit(texts, classifier)
    with shorten_last_layer(classifier):
        probabilities = predict_probabilities(classifier, texts, choose_device("fp32"))
    beside = {name: to_matrix(others[name], classes=len(labels), what=f"baseline {name}") for name in BASELINE_NAMES}
    kept = read_json(calibration)
    given = {"temperature": kept["temperature"], "decision": Decision(**kept["decision"])}
    document = evaluate(params, labels, rows, {"model": probabilities, **beside}, **given)
    projected = project_examples(params, table, read_arrow(features), rows, probabilities)
    answers = tabulate_predictions(rows, probabilities, like=table)
    write_json(metrics, flatten_metrics(document))
    write_json(evaluation, document)
    write_json(projection, projected)
    write_parquet(predictions, answers)
    with publish(confusion) as partial:
        partial.write_text(confusion_csv(answers), encoding="utf-8", newline="")
