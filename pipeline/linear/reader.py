"""The reader of a saved linear baseline: what gives questions their outputs, to the last bit those of `baseline`."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pipeline.linear.estimators import Numbers, open_labels, open_logistic, open_ridge
from pipeline.linear.features import open_features, open_pair_features
from pipeline.linear.saved import BETWEEN, OpenedLinear

_ESTIMATORS = {"classes": open_logistic, "labels": open_labels, "numbers": open_ridge}
_LEAST = 1e-6  # a probability in a file has six digits, and the tag that is answered has the largest


def open_linear(linear: OpenedLinear) -> Callable[[Sequence[Any]], Any]:
    """Return the function from questions, texts or the words of sentences, to their outputs, as `Answers` has them.

    A pair of texts is one text, with `BETWEEN` between the two.
    """
    if linear.saved.form == "tags":
        return _open_field(linear)
    ngrams, estimate = linear.saved.ngrams, _ESTIMATORS[linear.saved.form](linear.saved.arrays)
    if linear.saved.pairs:
        cross = open_pair_features(ngrams)
        return lambda texts: estimate(cross([text.split(BETWEEN) for text in texts]))
    featurize = open_features(ngrams)
    return lambda texts: estimate(featurize(texts))


def _open_field(linear: OpenedLinear) -> Callable[[Sequence[Sequence[str]]], list[Numbers]]:
    """Return the function from sentences to the probabilities of their tags, (W, C) each.

    Only the tag of the most probable sequence has one, so that it is what is answered; the others are 0.
    """
    from pipeline.linear.crf import FIELD, Tagger  # noqa: PLC0415  # a package that no other baseline needs

    tagger, places = Tagger(linear.saved.arrays[FIELD].tobytes()), {tag: at for at, tag in enumerate(linear.labels)}

    def weigh(words: Sequence[str]) -> Numbers:
        tags, probabilities = tagger.weigh(words)
        outputs = np.zeros((len(words), len(places)))
        for place, (tag, probability) in enumerate(zip(tags, probabilities, strict=True)):
            outputs[place, places[tag]] = max(probability, _LEAST)
        return outputs

    return lambda sentences: [*map(weigh, sentences)]
