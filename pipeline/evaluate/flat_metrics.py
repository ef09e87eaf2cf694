"""The flat metrics of an evaluation: the numbers that Git keeps and gates judge."""

from collections.abc import Mapping
from typing import Any

from pipeline.evaluate.kind import Measures


def flatten_metrics(measures: Measures, evaluation: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the flat metrics of an evaluation: 6 significant digits, so that Git shows changes and not noise.

    `gain` is the headline metric beyond the cheap rival's, `probe_gain` beyond the probe's, each with its p value. Why
    a number is null is in the evaluation alone: in a table of DVC's a sentence would be a column.
    """
    headline, rivals = measures.headline.name, measures.baselines
    compared = [metric.name for metric in measures.metrics if metric.compared]
    numbers: dict[str, float | None] = {}
    for metric in measures.metrics:
        estimate = evaluation["model"][metric.name]
        numbers[metric.name] = estimate["value"]
        if metric.compared:
            numbers |= {f"{metric.name}_{end}": estimate[end] for end in ("low", "high")}
    for rival in rivals.listed(evaluation["baselines"]):
        names = [headline] if rival is rivals.trivial else compared
        numbers |= {f"{rival.name}_{name}": evaluation["baselines"][rival.name][name]["value"] for name in names}
    comparisons = {comparison["against"]: comparison for comparison in evaluation["comparisons"]}
    for over, prefix in ((rivals.cheap, ""), (rivals.probe, "probe_")):
        if over is not None:
            gain = comparisons[over.name][headline]
            numbers |= {
                f"gain_over_{over.name}": gain["difference"],
                f"{prefix}gain_low": gain["low"],
                f"{prefix}gain_high": gain["high"],
                f"{prefix}gain_p_value": headline_p_value(comparisons[over.name], headline),
            }
    numbers["examples"] = evaluation["rows"]
    return {name: float(f"{value:.6g}") if isinstance(value, float) else value for name, value in numbers.items()}


def headline_p_value(comparison: Mapping[str, Any], headline: str) -> float | None:
    """Return the p value of the headline's difference: McNemar's exact one if it judges this metric."""
    test = comparison[headline] if "p_value" in comparison[headline] else comparison["mcnemar"]
    value: float | None = test["p_value"]
    return value
