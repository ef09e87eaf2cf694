"""baseline: examples, features -> baselines, what simple models say of validation and test."""

from pipeline.core.stage import Gate, In, Out
from pipeline.core.tables import read_arrow, read_parquet, write_parquet
from pipeline.evaluate.baselines import Baselines
from pipeline.settings.task import TaskParams


def run(params: TaskParams, kind: Baselines, *, examples: In, findings: Gate, features: In, baselines: Out) -> None:
    """Fit the baselines on train, tuned on validation."""
    answers, choices = kind.predict(params, read_parquet(examples), read_arrow(features))
    write_parquet(baselines, answers)
    print("\n".join(choices))
