"""Sentences of a passage that share words with a question: what a reader finds who does not read."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from pipeline.core.errors import DataError
from pipeline.examples.text import word_pattern
from pipeline.reading.spans import Span

_SENTENCE = re.compile(r"\S.*?(?:[.!?。！？]+[\"'”’)\]]*(?=\s|$|[^\x00-\x7f])|(?=\n)|$)", re.DOTALL)
_WORD = re.compile(word_pattern())


class SentenceMatch(NamedTuple):
    """A sentence, its part that the question does not say, and their similarity, [0, 1]."""

    sentence: Span
    rest: Span
    similarity: float


def split_sentences(passage: str) -> list[Span]:
    """Return the sentences of a text: up to a full stop, a question or an exclamation mark, or the end of a line."""
    return [
        Span(found.start(), found.group().rstrip()) for found in _SENTENCE.finditer(passage) if found.group().strip()
    ]


def fit_words(passages: Sequence[str]) -> TfidfVectorizer:
    """Return the TF-IDF weights of words, fitted to the sentences of the passages, each of which counts once.

    Raises:
        DataError: They have no words.
    """
    sentences = [sentence.text for passage in dict.fromkeys(passages) for sentence in split_sentences(passage)]
    if not any(_WORD.search(sentence.lower()) for sentence in sentences):
        raise DataError(
            f"train split: no word of two letters or digits in {len(sentences)} sentences of its passages, so none can "
            "be compared with a question. Add passages."
        )
    return TfidfVectorizer(token_pattern=word_pattern(), sublinear_tf=True).fit(sentences)


def match_sentence(words: TfidfVectorizer, passage: str, question: str) -> SentenceMatch:
    """Return the sentence of the passage that is most like the question by the cosine of TF-IDF, the first of equals.

    Source: Rajpurkar et al. 2016, SQuAD, arXiv 1606.05250, section 5 (the sliding window of Richardson et al. 2013).
    """
    sentences = split_sentences(passage)
    weights = words.transform([question, *(sentence.text for sentence in sentences)])
    likeness = np.asarray((weights[1:] @ weights[0].T).todense()).ravel()
    best = int(likeness.argmax())
    return SentenceMatch(sentences[best], find_rest(sentences[best], question), float(likeness[best]))


def find_rest(sentence: Span, question: str) -> Span:
    """Return the longest run of words of a sentence that are not in the question; the sentence if all are."""
    known = {word.casefold() for word in _WORD.findall(question)}
    runs: list[tuple[int, int]] = []
    for word in _WORD.finditer(sentence.text):
        if word.group().casefold() in known:
            runs.append((word.end(), word.end()))
        elif runs:
            runs[-1] = (runs[-1][0], word.end())
        else:
            runs.append((word.start(), word.end()))
    start, end = max(runs, key=lambda run: run[1] - run[0], default=(0, 0))
    text = sentence.text[start:end]
    inner = text.strip()
    if not inner:
        return sentence
    return Span(sentence.start + start + text.index(inner), inner)
