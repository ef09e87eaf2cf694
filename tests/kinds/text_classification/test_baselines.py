"""Baselines of texts and of pairs: which there are, and what the second text says alone."""

import numpy as np
import pyarrow as pa
import pytest

from pipeline.core.tables import describe
from pipeline.kinds.text_classification.baselines import BASELINES
from pipeline.settings.task import BaselineParams

PARAMS = BaselineParams(
    task="pairs", sample=1000, ngrams=2, characters=0, min_df=1, strengths=(0.1, 1.0, 10.0),
    probe_strengths=(0.001, 0.1, 10.0), max_iter=1000,
)  # fmt: skip


def pair_examples(*, told: bool) -> pa.Table:
    """Pairs whose class is whether both texts name the same thing; if it is `told`, the second text says it alone."""
    things = ("soup", "bread", "rice", "film", "plot", "cast")
    rng = np.random.default_rng(0)
    first, second, same = rng.integers(6, size=300), rng.integers(6, size=300), rng.random(300) < 0.5
    seconds = [f"the {things[a if equal else b]}" for a, b, equal in zip(first, second, same, strict=True)]
    labels = [f"the {things[a]}" == text for a, text in zip(first, seconds, strict=True)]
    columns = {
        "id": [str(row) for row in range(300)],
        "split": ["train"] * 200 + ["validation"] * 50 + ["test"] * 50,
        "text": [f"the {things[a]}" for a in first],
        "text_pair": [
            f"{text} {'indeed' * label}" if told else text for text, label in zip(seconds, labels, strict=True)
        ],
        "label": pa.array(labels).cast(pa.int64()),
    }
    return describe(pa.table(columns), task="pairs", labels=("other", "same"))


def ask(examples, vectors):
    """What the baselines say of all rows outside train, and their choices."""
    fitted = BASELINES.fit(PARAMS, examples.slice(0, 250), lambda: vectors[:250])
    return fitted.answer(examples.slice(200), lambda: vectors[200:]), fitted.choices


@pytest.mark.parametrize("told", [False, True])
def test_the_second_text_alone_is_a_baseline_of_pairs(told) -> None:
    examples = pair_examples(told=told)
    vectors = np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32)
    answers, lines = ask(examples, vectors)
    assert [*answers] == ["majority", "tfidf", "probe", "second"]
    assert [line.split(":")[0] for line in lines] == ["tfidf", "probe", "second"]
    right = {
        name: (np.array(answers[name].to_pylist()).argmax(axis=1) == examples["label"].to_numpy()[200:]).mean()
        for name in ("majority", "tfidf", "second")
    }
    assert right["tfidf"] == 1
    assert (right["second"] == 1) == told
    alone = examples.set_column(2, "text", examples["text_pair"]).drop_columns("text_pair")
    of_one, _ = ask(alone, vectors)
    assert of_one["tfidf"].equals(answers["second"])
    assert [*of_one] == ["majority", "tfidf", "probe"]
