"""baseline: examples, features -> baselines, linear: what simple models say, and the cheap one to ask."""

from pipeline.core.stage import Gate, In, Out
from pipeline.core.tables import labels_of, read_arrow, read_parquet, write_parquet
from pipeline.evaluate.baselines import Baselines
from pipeline.linear.saved import write_linear
from pipeline.settings.task import TaskParams


def run(
    params: TaskParams,
    kind: Baselines,
    *,
    examples: In,
    findings: Gate,
    features: In,
    baselines: Out,
    linear: Out,
) -> None:
    """Fit the baselines on train, tuned on validation, and keep the cheap one to be asked."""
    table = read_parquet(examples)
    answers, choices, saved = kind.predict(params, table, read_arrow(features))
    write_parquet(baselines, answers)
    write_linear(linear, saved, task=params.task, labels=labels_of(table))
    print("\n".join(choices))
