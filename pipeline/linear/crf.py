"""A conditional random field over the shape of words: the linear rival of a fine-tuned tagger.

Features of a word, and of its two neighbours on each side: the word in lower case and its shape (`Xxx-dd`, runs cut at
three). Of the word itself also: its first and last one to four characters, and whether it has a digit, a hyphen, or
capitals alone. And of all pairs of neighbouring tags.

Source: Lafferty, McCallum and Pereira 2001, Conditional Random Fields; CRFsuite 0.12 (Okazaki 2007), L-BFGS.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pycrfsuite

FIELD = "field"  # the name of its bytes among saved arrays
_AFFIX = 4  # longest prefix and suffix, in characters
_NEAR = (-2, -1, 1, 2)
_RUN = re.compile(r"(.)\1{3,}")


def describe_words(words: Sequence[str]) -> list[list[str]]:
    """Return the features of each word of a sentence."""
    lowered, shapes = [word.lower() for word in words], [draw_shape(word) for word in words]
    return [_describe(words, lowered, shapes, place) for place in range(len(words))]


def draw_shape(word: str) -> str:
    """Return a word with its capitals as X, its other letters as x and its digits as d, runs cut at three."""
    marks = "".join(
        "X" if letter.isupper() else "x" if letter.isalpha() else "d" if letter.isdigit() else letter for letter in word
    )
    return _RUN.sub(r"\1\1\1", marks)


def _describe(words: Sequence[str], lowered: Sequence[str], shapes: Sequence[str], place: int) -> list[str]:
    word, low = words[place], lowered[place]
    features = ["bias", f"word={low}", f"shape={shapes[place]}"]
    for size in range(1, min(_AFFIX, len(low)) + 1):
        features += [f"first={low[:size]}", f"last={low[-size:]}"]
    features += [name for name, has in _FLAGS.items() if has(word)]
    for step in _NEAR:
        at = place + step
        if 0 <= at < len(words):
            features += [f"{step}:word={lowered[at]}", f"{step}:shape={shapes[at]}"]
        elif abs(step) == 1:
            features.append(f"{step}:edge")
    return features


_FLAGS = {
    "digit": lambda word: any(letter.isdigit() for letter in word),
    "hyphen": lambda word: "-" in word,
    "capitals": str.isupper,
}


def fit_field(
    sentences: Sequence[Sequence[str]], tags: Sequence[Sequence[str]], *, penalty: float, max_iter: int
) -> bytes:
    """Return the field that fits the tags of the sentences best; `penalty` is that of the squared weights."""
    trainer = pycrfsuite.Trainer(algorithm="lbfgs", verbose=False)
    trainer.set_params({"c1": 0.0, "c2": penalty, "max_iterations": max_iter, "feature.possible_transitions": False})
    for words, own in zip(sentences, tags, strict=True):
        if words:
            trainer.append(describe_words(words), own)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "field"
        trainer.train(str(path))
        return path.read_bytes()


class Tagger:
    """A field that tags sentences."""

    def __init__(self, field: bytes) -> None:
        """Open a field, as `fit_field` has returned it."""
        self._field = field  # the library reads it where it is
        self._tagger = pycrfsuite.Tagger()
        self._tagger.open_inmemory(field)

    def tag(self, words: Sequence[str]) -> list[str]:
        """Return the most probable tags of the words of a sentence."""
        tags: list[str] = self._tagger.tag(describe_words(words)) if words else []
        return tags

    def weigh(self, words: Sequence[str]) -> tuple[list[str], list[float]]:
        """Return the most probable tags of the words of a sentence, and the probability of each by itself."""
        tags = self.tag(words)
        return tags, [self._tagger.marginal(tag, place) for place, tag in enumerate(tags)]
