"""baseline: examples, features -> baselines, the probabilities of simple models on validation and test."""

from pipeline.core.stage import Gate, In, Out
from pipeline.core.tables import read_arrow, read_parquet, write_parquet
from pipeline.evaluate.align import align, to_vectors
from pipeline.evaluate.baselines import predict_baselines
from pipeline.settings.task import BaselineParams


def run(params: BaselineParams, *, examples: In, findings: Gate, features: In, baselines: Out) -> None:
    """Fit the baselines on train, tuned on validation."""
    table, vectors = read_parquet(examples), read_arrow(features)
    aligned = align(vectors, table["id"].to_pylist(), like=table, what="features", split=None)
    answers, choices = predict_baselines(params, table, to_vectors(aligned["features"]))
    write_parquet(baselines, answers)
    print("\n".join(choices))
