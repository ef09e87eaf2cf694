import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.errors import DataError
from pipeline.evaluate.ngrams import count_ngrams, fit_weights
from pipeline.linear.features import open_features, open_pair_features
from pipeline.settings.task import BaselineParams

TEXTS = st.lists(st.text(alphabet="abcdé '漢字\n", max_size=40), min_size=2, max_size=12)


@settings(max_examples=60, deadline=None)
@given(texts=TEXTS, characters=st.integers(0, 4), least=st.integers(1, 2), data=st.data())
def test_features_of_texts_are_those_of_their_rows_to_the_last_bit(texts, characters, least, data):
    params = BaselineParams(
        task="t",
        sample=1000,
        ngrams=2,
        characters=characters,
        min_df=least,
        strengths=(1.0,),
        probe_strengths=(1.0,),
        max_iter=10,
    )
    train = np.array(data.draw(st.lists(st.integers(0, len(texts) - 1), min_size=1, unique=True)))
    ngrams = count_ngrams(params, texts)
    try:
        fits = fit_weights(params, ngrams, train)
    except DataError:
        return
    for fit in fits.values():
        expected, found = fit(np.arange(len(texts))), open_features(fit.list_weights())(texts)
        assert (found.indptr.tolist(), found.indices.tolist()) == (expected.indptr.tolist(), expected.indices.tolist())
        assert found.data.tobytes() == expected.data.tobytes()
        assert found.shape == expected.shape == (len(texts), sum(len(part.terms) for part in fit.list_weights()))


@settings(max_examples=40, deadline=None)
@given(texts=TEXTS, characters=st.integers(0, 4))
def test_features_of_pairs_are_those_of_their_rows_to_the_last_bit(texts, characters):
    params = BaselineParams(
        task="t",
        sample=1000,
        ngrams=2,
        characters=characters,
        min_df=1,
        strengths=(1.0,),
        probe_strengths=(1.0,),
        max_iter=10,
    )
    pairs = [*zip(texts, reversed(texts), strict=True)]
    try:
        fits = fit_weights(params, count_ngrams(params, *map(list, zip(*pairs, strict=True))), np.arange(len(pairs)))
    except DataError:
        return
    for fit in fits.values():
        expected, found = fit(np.arange(len(pairs))), open_pair_features(fit.list_weights())(pairs)
        assert (found.indptr.tolist(), found.indices.tolist()) == (expected.indptr.tolist(), expected.indices.tolist())
        assert found.data.tobytes() == expected.data.tobytes()


@pytest.mark.parametrize("text", ["", " ", "unheard"])
def test_a_text_without_a_known_ngram_has_no_feature(text):
    params = BaselineParams(
        task="t",
        sample=1000,
        ngrams=1,
        characters=0,
        min_df=1,
        strengths=(1.0,),
        probe_strengths=(1.0,),
        max_iter=10,
    )
    fit = fit_weights(params, count_ngrams(params, ["good film", "bad film"]), np.arange(2))["words"]
    assert open_features(fit.list_weights())([text]).nnz == 0
