"""The names of the metrics of tags: with plain ones nobody reads of spans."""

import pyarrow as pa
import pytest

from pipeline.core.tables import describe
from pipeline.diff.comment import render_comment
from pipeline.diff.compare import compare_snapshots
from pipeline.diff.document import Side
from pipeline.diff.snapshot import Rules, Snapshot, TaskSnapshot
from pipeline.evaluate.kind import compute_metrics
from pipeline.kinds.token_classification.measures import MEASURES
from pipeline.kinds.token_classification.page import PAGE
from tests.given.kinds import make_sample

PLAIN, SPANS = ("NN", "VB"), ("O", "B-PER", "I-PER")


def make_predictions(labels: tuple[str, ...], wrong: int) -> pa.Table:
    """Return ten sentences of three words, of which so many have one wrong tag."""
    tags = [[0, 1, 1]] * 10
    predicted = [[0, 1, 0 if row < wrong else 1] for row in range(10)]
    columns = {
        "id": [str(row) for row in range(10)],
        "document": [f"id {row}" for row in range(10)],
        "tags": pa.array(tags, pa.list_(pa.int64())),
        "predicted": pa.array(predicted, pa.list_(pa.int64())),
        "probabilities": pa.array([[0.9] * 3] * 10, pa.list_(pa.float64())),
    }
    return describe(pa.table(columns), task="sample", labels=labels)


@pytest.mark.parametrize(
    ("labels", "titles"),
    [
        (SPANS, ["span F1", "tag accuracy", "sentence accuracy"]),
        (PLAIN, ["tag accuracy", "sentence accuracy"]),
    ],
)
def test_the_page_and_the_diff_call_a_metric_what_it_is(labels, titles, tmp_path):
    assert [metric.title for metric in PAGE.name_for(labels).metrics] == titles
    params = make_sample(tmp_path, "token-classification").params("evaluate")
    sides = {}
    for name, wrong in (("base", 4), ("head", 1)):
        predictions = make_predictions(labels, wrong)
        scored = MEASURES.score_rows(predictions, predictions, params)
        values = zip(MEASURES.metrics, compute_metrics(MEASURES, scored).tolist(), strict=True)
        metrics = {metric.name: value for metric, value in values}
        if labels == PLAIN:
            assert metrics["span_f1"] == metrics["tag_accuracy"]
        rules = Rules(MEASURES, params, dict.fromkeys(metrics))
        task = TaskSnapshot(listed=True, metrics=metrics, predictions=predictions)
        sides[name] = Snapshot(Side(name=name, commit=None), {"sample": rules}, {"sample": task}, {}, {}, {}, {})
    comment = render_comment(compare_snapshots(sides["base"], sides["head"]))
    assert [title for title in ("span F1", "tag accuracy", "sentence accuracy") if f"| {title} |" in comment] == titles
    assert comment.count("| tag accuracy |") == 1
