"""The flat metrics of an evaluation: the numbers that Git keeps and gates judge."""

from collections.abc import Mapping
from typing import Any


def flatten_metrics(evaluation: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the flat metrics of an evaluation: 6 significant digits, so that Git shows changes and not noise.

    `gain` is the accuracy beyond TF-IDF's, `probe_gain` beyond the linear probe's; the p values are McNemar's exact
    ones. Why a number is null is in the evaluation alone: in a table of DVC's a sentence would be a column.
    """
    model, baselines = evaluation["model"], evaluation["baselines"]
    comparisons = {comparison["against"]: comparison for comparison in evaluation["comparisons"]}
    tfidf, probe = comparisons["tfidf"], comparisons["probe"]
    numbers = {
        "accuracy": model["accuracy"]["value"],
        "accuracy_low": model["accuracy"]["low"],
        "accuracy_high": model["accuracy"]["high"],
        "macro_f1": model["macro_f1"]["value"],
        "macro_f1_low": model["macro_f1"]["low"],
        "macro_f1_high": model["macro_f1"]["high"],
        "log_loss": model["log_loss"]["value"],
        "brier": model["brier"]["value"],
        "ece": model["ece"]["value"],
        "tfidf_accuracy": baselines["tfidf"]["accuracy"]["value"],
        "tfidf_macro_f1": baselines["tfidf"]["macro_f1"]["value"],
        "probe_accuracy": baselines["probe"]["accuracy"]["value"],
        "probe_macro_f1": baselines["probe"]["macro_f1"]["value"],
        "majority_accuracy": baselines["majority"]["accuracy"]["value"],
        "gain_over_tfidf": tfidf["accuracy"]["difference"],
        "gain_low": tfidf["accuracy"]["low"],
        "gain_high": tfidf["accuracy"]["high"],
        "gain_p_value": tfidf["mcnemar"]["p_value"],
        "gain_over_probe": probe["accuracy"]["difference"],
        "probe_gain_low": probe["accuracy"]["low"],
        "probe_gain_high": probe["accuracy"]["high"],
        "probe_gain_p_value": probe["mcnemar"]["p_value"],
        "examples": evaluation["rows"],
    }
    return {name: float(f"{value:.6g}") if isinstance(value, float) else value for name, value in numbers.items()}
