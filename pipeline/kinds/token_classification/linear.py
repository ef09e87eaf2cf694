"""The linear baseline of token classification: the tags of the words of a sentence by a conditional random field."""

from collections.abc import Callable, Sequence

import numpy as np

from pipeline.linear.estimators import Numbers
from pipeline.linear.saved import OpenedLinear
from pipeline.predict.linear.kind import Linear
from pipeline.tagging.crf import FIELD, Tagger

_LEAST = 1e-6  # a probability in a file has six digits, and the tag that is answered has the largest


def _open(linear: OpenedLinear) -> Callable[[Sequence[Sequence[str]]], list[Numbers]]:
    """Return the function from sentences to the probabilities of their tags, (W, C) each.

    Only the tag of the most probable sequence has one, so that it is what is answered; the others are 0.
    """
    tagger, places = Tagger(linear.saved.arrays[FIELD].tobytes()), {tag: at for at, tag in enumerate(linear.labels)}

    def weigh(words: Sequence[str]) -> Numbers:
        tags, probabilities = tagger.weigh(words)
        outputs = np.zeros((len(words), len(places)))
        for place, (tag, probability) in enumerate(zip(tags, probabilities, strict=True)):
            outputs[place, places[tag]] = max(probability, _LEAST)
        return outputs

    return lambda sentences: [*map(weigh, sentences)]


LINEAR = Linear(open=_open)
