"""Evaluations of made-up probabilities, as the stage `evaluate` makes them."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from pipeline.calibration.decision import PLAIN, Decision
from pipeline.evaluate.evaluation import MODEL, evaluate
from pipeline.evaluate.metrics import Floats
from pipeline.kinds.text_classification.measures import MEASURES
from pipeline.kinds.text_classification.settings import TextEvaluateParams


def evaluate_probabilities(
    params: TextEvaluateParams,
    examples: pa.Table,
    probabilities: Mapping[str, Floats],
    *,
    temperature: float = 1.0,
    decision: Decision = PLAIN,
) -> tuple[dict[str, Any], pa.Table]:
    """Return the evaluation of the test examples and the model's predictions; the (N, C) are by name."""
    kept = {"temperature": temperature, "decision": decision._asdict()}
    answers = {name: pa.array(list(values), pa.list_(pa.float64())) for name, values in probabilities.items()}
    own = MEASURES.tabulate(examples, answers[MODEL], kept)
    answers |= MEASURES.variants(own, kept)
    predictions = {name: MEASURES.tabulate(examples, column, kept) for name, column in answers.items()}
    slices = MEASURES.slices(examples, params)
    return evaluate(MEASURES, params, examples, slices, predictions, kept), own
