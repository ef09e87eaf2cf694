"""The linear baseline of text regression: the number of a text by its n-grams."""

from collections.abc import Callable, Sequence

from pipeline.linear.estimators import Numbers, open_ridge
from pipeline.linear.features import open_features
from pipeline.linear.saved import OpenedLinear
from pipeline.predict.linear.kind import Linear


def _open(linear: OpenedLinear) -> Callable[[Sequence[str]], Numbers]:
    featurize, estimate = open_features(linear.saved.ngrams), open_ridge(linear.saved.arrays)
    return lambda texts: estimate(featurize(texts))


LINEAR = Linear(open=_open)
