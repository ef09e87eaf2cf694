"""evaluate: examples, tokens, model, decision, features, baselines -> metrics, predictions, all that the page shows."""

from pipeline.core.files import publish, read_json, write_json
from pipeline.core.stage import In, Out
from pipeline.core.tables import metadata_of, read_arrow, read_parquet, write_parquet
from pipeline.evaluate.align import align, select_split
from pipeline.evaluate.evaluation import MODEL, evaluate
from pipeline.evaluate.flat_metrics import flatten_metrics
from pipeline.evaluate.kind import Measures
from pipeline.evaluate.plot import confusion_csv
from pipeline.settings.task import EvaluateParams


def run(
    params: EvaluateParams,
    kind: Measures,
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
    table, kept = read_parquet(examples), read_json(calibration)
    test = select_split(table, "test")
    slices = kind.slices(test, params)
    others = align(read_parquet(baselines), test["id"].to_pylist(), like=table, what="baselines")
    own = kind.tabulate(test, kind.predict(model, test, read_arrow(tokens)), kept)
    rivals = kind.baselines.listed(others.column_names)
    answers = {rival.name: others[rival.name] for rival in rivals} | kind.variants(own, kept)
    predicted = {MODEL: own} | {name: kind.tabulate(test, column, kept) for name, column in answers.items()}
    document = evaluate(kind, params, test, slices, predicted, kept)
    if sample := metadata_of(others).get(b"sample"):
        document["sample"] = sample.decode()
    projected = kind.project(table, read_arrow(features), own, params)
    write_json(metrics, flatten_metrics(kind, document))
    write_json(evaluation, document)
    write_json(projection, projected)
    write_parquet(predictions, own)
    with publish(confusion) as partial:
        pairs = kind.confused(own) if kind.confused else (kind.truths(own), kind.answers(own))
        plot = confusion_csv(*pairs)
        partial.write_text(plot, encoding="utf-8", newline="")
