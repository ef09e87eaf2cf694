"""The judgement of a file: each number beside its limit, with the chance of a false alarm held over all of them."""

from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

import numpy as np

from pipeline.evaluate.metrics import Ints
from pipeline.evaluate.paired import adjust_p_values
from pipeline.settings.production import WatchParams
from pipeline.watch.distances import Distance, measure_classes, measure_distribution, measure_share
from pipeline.watch.view import View

Quantity = Literal["length", "truncated", "unknown", "classes", "confidence", "unsure", "domain", "accuracy"]
LIMITS: dict[Quantity, str] = {
    "length": "max_length_distance",
    "truncated": "max_truncated_rise",
    "unknown": "max_unknown_rise",
    "classes": "max_class_distance",
    "confidence": "max_confidence_distance",
    "unsure": "max_unsure_rise",
    "domain": "max_auc",
    "accuracy": "max_accuracy_drop",
}
QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)


class WatchedNumber(NamedTuple):
    """A number beside its limit.

    `adjusted` is its p value after Holm. `passed`: the limit is exceeded, by more than chance explains.
    """

    name: Quantity
    distance: Distance
    adjusted: float
    limit: float | None
    passed: bool


def measure_view(reference: View, file: View, *, abstains: bool, seed: int) -> dict[Quantity, Distance]:
    """Return the distances of what a model sees and says of a file's texts from what it does of the reference's.

    `unsure` is there only if the model `abstains`.
    """
    classes = reference.probabilities.shape[1]
    answers = (np.bincount(view.answers, minlength=classes) for view in (reference, file))
    confidence = (view.probabilities.max(axis=1) for view in (reference, file))
    distances: dict[Quantity, Distance] = {
        "length": measure_distribution(reference.lengths.astype(float), file.lengths.astype(float)),
        "truncated": measure_share(reference.cut, file.cut),
        "unknown": _measure_unknown(reference, file),
        "classes": measure_classes(*answers, seed=seed),
        "confidence": measure_distribution(*confidence),
    }
    return distances | ({"unsure": measure_share(reference.unsure, file.unsure)} if abstains else {})


def measure_accuracy(reference: tuple[Ints, Ints], file: tuple[Ints, Ints]) -> Distance:
    """Return by how much the accuracy of (actual, answered) class indices drops from the reference to the file."""
    right = [np.equal(*side) for side in (reference, file)]
    rise = measure_share(*right)
    return rise._replace(value=-rise.value)


def judge_distances(distances: Mapping[Quantity, Distance], params: WatchParams) -> list[WatchedNumber]:
    """Return each number with its limit; one is passed only if it is beyond it and `adjusted` is below `params.level`.

    So the chance of any alarm, if nothing has changed, is at most `params.level`, whatever the limits are.
    """
    names = [name for name in QUANTITIES if name in distances]
    adjusted = adjust_p_values([distances[name].p for name in names])
    numbers = []
    for name, p in zip(names, adjusted, strict=True):
        limit: float | None = getattr(params, LIMITS[name])
        passed = limit is not None and distances[name].value > limit and p < params.level
        numbers.append(WatchedNumber(name, distances[name], p, limit, passed))
    return numbers


def _measure_unknown(reference: View, file: View) -> Distance:
    """Return by how much the share of the characters lost rises; p is that of the share of texts that lose any."""
    before, after = (float(view.lost.sum() / max(1, view.characters.sum())) for view in (reference, file))
    p = measure_share(reference.lost > 0, file.lost > 0).p
    return Distance(before, after, after - before, p)
