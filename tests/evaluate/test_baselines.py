import contextlib
import math
from collections.abc import Sequence
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler

from pipeline.core.errors import DataError, UsageError
from pipeline.evaluate import ngrams as ngrams_module
from pipeline.evaluate.baselines import Fit, fit_probe, fit_tfidf, predict_majority
from pipeline.evaluate.metrics import Floats, Ints
from pipeline.evaluate.ngrams import FittedNgrams, count_ngrams, fit_weights
from pipeline.examples.text import word_pattern
from pipeline.settings.task import BaselineParams

PARAMS = BaselineParams(
    task="toy",
    sample=1000,
    ngrams=2,
    characters=0,
    min_df=1,
    strengths=(0.1, 1.0, 10.0),
    probe_strengths=(0.001, 0.1, 10.0),
    max_iter=1000,
)
WORDS = [["good", "fine", "lovely", "film"], ["bad", "poor", "dull", "film"], ["soup", "bread", "rice", "film"]]


def texts(rows: int, seed: int, *, noise: float = 0.3) -> tuple[list[str], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Sentences whose words mostly tell their class, of three."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=rows)
    words = [WORDS[rng.integers(3) if rng.random() < noise else label] for label in labels for _ in range(4)]
    drawn = [pool[rng.integers(4)] for pool in words]
    return [" ".join(drawn[at : at + 4]) for at in range(0, 4 * rows, 4)], labels


TRAIN, VALIDATION, TEST = texts(90, 0), texts(40, 1), texts(30, 2)


class Told(NamedTuple):
    """A fit, and the probabilities of some texts."""

    fit: Fit[FittedNgrams]
    probabilities: Floats


def fit_texts(
    params: BaselineParams,
    *,
    train: tuple[Sequence[str], Ints],
    validation: tuple[Sequence[str], Ints],
    texts: Sequence[str],
    classes: int,
) -> Told:
    """The fit, of texts that are counted together."""
    ngrams = count_ngrams(params, [*train[0], *validation[0], *texts])
    known, tuned, rest = (np.arange(size) for size in (len(train[0]), len(validation[0]), len(texts)))
    tune = (len(known) + tuned, validation[1])
    fit = fit_tfidf(params, ngrams, train=(known, train[1]), validation=tune, classes=classes)
    return Told(fit, fit.predict(len(known) + len(tuned) + rest))


def fitted(params: BaselineParams = PARAMS, *, test: Sequence[str] = TEST[0]) -> Floats:
    return fit_texts(params, train=TRAIN, validation=VALIDATION, texts=test, classes=3).probabilities


@given(st.lists(st.integers(0, 3), min_size=1, max_size=50), st.integers(0, 9))
def test_majority_gives_the_train_shares_to_every_row(labels: list[int], rows: int) -> None:
    found = predict_majority(np.array(labels), classes=4, rows=rows)
    assert found.shape == (rows, 4)
    for row in found:
        assert row.tolist() == [labels.count(index) / len(labels) for index in range(4)]
        assert labels.count(int(row.argmax())) == max(labels.count(index) for index in range(4))


def test_majority_of_equal_classes_is_the_first() -> None:
    assert predict_majority(np.array([2, 1, 1, 2]), classes=3, rows=1).argmax() == 1


def test_tfidf_is_the_best_of_the_reference_models_on_validation() -> None:
    scores, models = [], []
    for strength in PARAMS.strengths:
        features = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
        models.append(make_pipeline(features, LogisticRegression(C=strength, max_iter=1000, tol=1e-7)).fit(*TRAIN))
        scores.append(f1_score(VALIDATION[1], models[-1].predict(VALIDATION[0]), average="macro"))
    assert len(set(scores)) > 1
    assert fitted() == pytest.approx(models[int(np.argmax(scores))].predict_proba(TEST[0]), abs=1e-3)


def test_of_equal_strengths_the_smaller_wins() -> None:
    clear = texts(60, 3, noise=0)
    arguments = {"train": clear, "validation": clear, "texts": TEST[0], "classes": 3}
    both = fit_texts(PARAMS.model_copy(update={"strengths": (30.0, 3.0)}), **arguments)
    small = fit_texts(PARAMS.model_copy(update={"strengths": (3.0,)}), **arguments)
    assert (both.probabilities == small.probabilities).all()
    assert both.fit.strength == 3.0


def test_the_same_rows_give_the_same_bytes() -> None:
    assert fitted().tobytes() == fitted().tobytes()


@settings(max_examples=10)
@given(st.lists(st.text(alphabet="abcdefgh ", max_size=30), max_size=8))
def test_test_rows_never_influence_each_other(others: list[str]) -> None:
    """Rows that are judged alone and beside any others get the same probabilities: nothing is learned from them."""
    quick = PARAMS.model_copy(update={"strengths": (1.0,)})
    together = fitted(quick, test=[*TEST[0], *others])
    assert together[: len(TEST[0])] == pytest.approx(fitted(quick), abs=1e-15)


def test_words_of_validation_and_test_are_no_features() -> None:
    plain = fitted(test=["good soup"])
    assert fitted(test=["good soup unheard unseen"]) == pytest.approx(plain, abs=1e-15)
    known = (["good zebra", *VALIDATION[0][1:]], VALIDATION[1])
    beside = fit_texts(PARAMS, train=TRAIN, validation=known, texts=["good soup zebra"], classes=3).probabilities
    assert beside == pytest.approx(plain, abs=1e-15)


def test_a_class_without_train_rows_gets_no_probability() -> None:
    found = fit_texts(PARAMS, train=TRAIN, validation=VALIDATION, texts=TEST[0], classes=5).probabilities
    assert (found[:, 3:] == 0).all()
    assert found.sum(axis=1) == pytest.approx(1)


def test_one_class_is_refused() -> None:
    with pytest.raises(DataError, match=r"train split: 2 rows of 1 class.*ingest\.salt"):
        fit_texts(PARAMS, train=(["a b", "b c"], np.zeros(2, np.int64)), validation=VALIDATION, texts=[], classes=3)


# ------------------------------------------------------------------------------------------------ characters
def unspaced(rows: int, seed: int) -> tuple[list[str], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Chinese clauses without a blank, a mark of the class amid other letters; no clause is there twice."""
    rng = np.random.default_rng(seed)
    marks = (("很失望", "太糟糕", "真难看"), ("很喜欢", "非常好", "真不错"))
    labels = np.arange(rows) % 2
    pads = ["".join(rng.permutation(list("我们昨天在家里看了这个东西然后又买了新的书和椅子"))[:12]) for _ in labels]
    return [f"{pad[:6]}{rng.choice(marks[label])}{pad[6:]}" for pad, label in zip(pads, labels, strict=True)], labels


def test_a_script_without_blanks_has_a_fair_rival() -> None:
    train, validation, test = unspaced(200, 0), unspaced(80, 1), unspaced(80, 2)
    params = PARAMS.model_copy(update={"characters": 3, "min_df": 2})
    told = fit_texts(params, train=train, validation=validation, texts=test[0], classes=2)
    assert (told.probabilities.argmax(axis=1) == test[1]).mean() > 0.95
    words = params.model_copy(update={"characters": 0})
    with pytest.raises(DataError, match=r"baseline\.min_df: no words in 2 of 200 train texts"):
        fit_texts(words, train=train, validation=validation, texts=test[0], classes=2)


def test_validation_chooses_words_or_words_beside_characters() -> None:
    """Endings tell the class of words that are all different: characters; whole words tell it as well: words."""
    rng = np.random.default_rng(0)
    params = PARAMS.model_copy(update={"characters": 3})

    def inflected(rows: int) -> tuple[list[str], np.ndarray[tuple[int], np.dtype[np.int64]]]:
        labels = np.arange(rows) % 2
        stems = ["".join(rng.choice(list("bdfgklmnprst"), 8)) for _ in labels]
        return [f"{stem}{('ung', 'lich')[label]}" for stem, label in zip(stems, labels, strict=True)], labels

    train, validation, test = inflected(80), inflected(40), inflected(40)
    told = fit_texts(params, train=train, validation=validation, texts=test[0], classes=2)
    assert told.fit.features == "words and characters"
    assert told.fit.macro_f1 == 1.0
    assert (told.probabilities.argmax(axis=1) == test[1]).all()
    clear = texts(60, 3, noise=0)
    told = fit_texts(params, train=clear, validation=clear, texts=TEST[0], classes=3)
    assert told.fit.features == "words"
    assert told.fit.describe() == f"words, strength {told.fit.strength:g}, macro-F1 1.0000 on validation"


def test_characters_beside_words_are_those_of_the_reference_model() -> None:
    params = PARAMS.model_copy(update={"characters": 3, "strengths": (3.0,)})
    train, validation, test = texts(90, 0, noise=0.5), texts(40, 1, noise=0.5), texts(30, 2)
    kinds = [
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        TfidfVectorizer(ngram_range=(1, 3), sublinear_tf=True, analyzer="char_wb"),
    ]
    scores, probabilities = [], []
    for features in (kinds[0], FeatureUnion([("words", kinds[0]), ("characters", kinds[1])])):
        model = make_pipeline(features, LogisticRegression(C=3.0, max_iter=1000, tol=1e-7)).fit(*train)
        scores.append(f1_score(validation[1], model.predict(validation[0]), average="macro"))
        probabilities.append(model.predict_proba(test[0]))
    told = fit_texts(params, train=train, validation=validation, texts=test[0], classes=3)
    assert told.fit.macro_f1 == pytest.approx(max(scores))
    assert told.probabilities == pytest.approx(probabilities[int(np.argmax(scores))], abs=1e-3)


@pytest.mark.parametrize("train", [["good film", "bad soup"], ["!", "?"]])
def test_no_frequent_word_is_refused(train: list[str]) -> None:
    params = PARAMS.model_copy(update={"min_df": 2})
    with pytest.raises(DataError, match=r"baseline\.min_df: .* in 2 of 2 train texts"):
        fit_texts(params, train=(train, np.array([0, 1])), validation=VALIDATION, texts=[], classes=3)


def test_min_df_above_the_number_of_texts_is_refused() -> None:
    with pytest.raises(DataError, match=r"baseline\.min_df: .* in 91 of 90 train texts"):
        fitted(PARAMS.model_copy(update={"min_df": 91}))


def test_a_model_cut_short_is_refused() -> None:
    with pytest.raises(UsageError, match=r"baseline\.max_iter: .*strength 0\.1 .* 1 iterations"):
        fitted(PARAMS.model_copy(update={"max_iter": 1}))


def test_probabilities_are_distributions() -> None:
    found = fitted()
    assert found.shape == (30, 3)
    assert found.dtype == np.float64
    assert found.sum(axis=1) == pytest.approx(1)
    assert math.isfinite(float(found.min()))


# ------------------------------------------------------------------------------------------------ probe
def clouds(rows: int, seed: int) -> tuple[Floats, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Points of three classes that overlap, in numbers of very different sizes, one of which never changes."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=rows)
    points = np.eye(3, 6)[labels] + rng.normal(size=(rows, 6))
    return np.column_stack([points * 10.0 ** np.arange(-3, 3) + 5, np.ones(rows)]), labels


CLOUDS = clouds(120, 0), clouds(80, 1), clouds(30, 2)


def probed(params: BaselineParams = PARAMS, *, test: Floats = CLOUDS[2][0]) -> Floats:
    return fit_probe(params, train=CLOUDS[0], validation=CLOUDS[1], classes=3).predict(test)


def test_the_probe_is_the_best_of_the_reference_models_on_validation() -> None:
    scores, models = [], []
    for strength in PARAMS.probe_strengths:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000, tol=1e-8))
        models.append(model.fit(*CLOUDS[0]))
        scores.append(f1_score(CLOUDS[1][1], models[-1].predict(CLOUDS[1][0]), average="macro"))
    assert len(set(scores)) > 1
    assert probed() == pytest.approx(models[int(np.argmax(scores))].predict_proba(CLOUDS[2][0]), abs=1e-3)


def test_the_unit_of_a_feature_moves_nothing() -> None:
    units = np.array([1e-4, 3.0, 1.0, 1e3, 1.0, 7.0, 2.0])
    train, validation, test = ((points * units, labels) for points, labels in CLOUDS)
    found = fit_probe(PARAMS, train=train, validation=validation, classes=3).predict(test[0])
    assert found == pytest.approx(probed(), abs=1e-6)


def test_the_test_rows_teach_the_probe_nothing() -> None:
    together = probed(test=np.vstack([CLOUDS[2][0], 1e3 * CLOUDS[2][0]]))
    assert together[:30] == pytest.approx(probed(), abs=1e-12)


def test_the_probe_needs_two_classes_and_spreads_over_all() -> None:
    found = fit_probe(PARAMS, train=CLOUDS[0], validation=CLOUDS[1], classes=5).predict(CLOUDS[2][0])
    assert (found[:, 3:] == 0).all()
    assert found.sum(axis=1) == pytest.approx(1)
    one = (CLOUDS[0][0], np.zeros(120, np.int64))
    with pytest.raises(DataError, match="120 rows of 1 class"):
        fit_probe(PARAMS, train=one, validation=CLOUDS[1], classes=3)


@settings(max_examples=50)
@given(
    st.lists(st.text(alphabet="ab c.\u4e2d\u0301", max_size=12), min_size=3, max_size=12),
    st.integers(1, 3),
    st.integers(0, 3),
    st.randoms(use_true_random=False),
)
def test_weights_are_those_of_a_vectorizer_that_saw_the_train_texts_alone(drawn, min_df, characters, random) -> None:
    """Counted together or alone: the same columns in the same order, and the same bytes."""
    params = PARAMS.model_copy(update={"min_df": min_df, "characters": characters})
    train = sorted(random.sample(range(len(drawn)), random.randint(1, len(drawn))))
    known, rows = [drawn[row] for row in train], np.array(random.choices(range(len(drawn)), k=5))
    how = {"sublinear_tf": True, "min_df": min_df}
    kinds = [TfidfVectorizer(ngram_range=(1, 2), token_pattern=word_pattern(), **how)]
    if characters:
        kinds.append(TfidfVectorizer(ngram_range=(1, characters), analyzer="char_wb", **how))
    expected = []
    for vectorizer in kinds:
        with contextlib.suppress(ValueError):  # its vocabulary is empty
            expected.append(vectorizer.fit(known).transform([drawn[row] for row in rows]).toarray())
    if not expected:
        with pytest.raises(DataError, match=rf"in {min_df} of {len(train)} train texts"):
            fit_weights(params, count_ngrams(params, drawn), np.array(train))
        return
    *_, last = fit_weights(params, count_ngrams(params, drawn), np.array(train)).values()
    assert last(rows).toarray().tobytes() == np.hstack(expected).tobytes()


def test_characters_that_are_counted_are_left_out_if_the_params_say_so() -> None:
    ngrams = count_ngrams(PARAMS.model_copy(update={"characters": 3}), TRAIN[0])
    assert set(ngrams.counts) == {"words", "characters"}
    assert set(fit_weights(PARAMS, ngrams, np.arange(90))) == {"words"}


@given(st.lists(st.text(alphabet="ab c.\u4e2d", max_size=12), max_size=20), st.integers(1, 3), st.integers(1, 6))
def test_texts_that_are_counted_in_pieces_have_the_counts_of_the_whole(drawn, min_df, piece) -> None:
    params = PARAMS.model_copy(update={"min_df": min_df, "characters": 3})
    whole = count_ngrams(params, drawn)
    with patch.object(ngrams_module, "PIECE_TEXTS", piece):
        parts = count_ngrams(params, drawn)
    assert parts.terms == whole.terms
    assert set(parts.counts) == set(whole.counts)
    for kind, counts in whole.counts.items():
        assert (parts.counts[kind] != counts).nnz == 0
        assert parts.counts[kind].has_sorted_indices
        assert counts.shape == (len(drawn), len(whole.terms[kind].names))
        assert ((counts > 0).sum(axis=0) >= min_df).all()


@given(
    st.lists(st.tuples(*[st.text(alphabet="abc ", max_size=20)] * 2), min_size=2, max_size=12),
    st.integers(1, 2),
    st.randoms(use_true_random=False),
)
def test_pairs_give_both_texts_their_product_and_their_cosine(drawn, min_df, random) -> None:
    """As a vectorizer gives them that saw both texts of the train pairs, and no other."""
    params = PARAMS.model_copy(update={"min_df": min_df, "characters": 2})
    train = sorted(random.sample(range(len(drawn)), random.randint(1, len(drawn))))
    rows = np.array(random.choices(range(len(drawn)), k=5))
    firsts, seconds = ([pair[side] for pair in drawn] for side in (0, 1))
    ngrams = count_ngrams(params, firsts, seconds)
    expected = []
    kinds = {"ngram_range": (1, 2), "token_pattern": word_pattern()}, {"ngram_range": (1, 2), "analyzer": "char_wb"}
    for how in kinds:
        vectorizer = TfidfVectorizer(sublinear_tf=True, min_df=min_df, **how)
        with contextlib.suppress(ValueError):  # its vocabulary is empty
            vectorizer.fit([text for side in (firsts, seconds) for text in (side[row] for row in train)])
            first, second = (vectorizer.transform([side[row] for row in rows]).toarray() for side in (firsts, seconds))
            expected += [first, second, first * second, (first * second).sum(axis=1, keepdims=True)]
    if not expected:
        with pytest.raises(DataError, match="no feature"):
            fit_weights(params, ngrams, np.array(train))
        return
    *_, last = fit_weights(params, ngrams, np.array(train)).values()
    assert last(rows).toarray() == pytest.approx(np.hstack(expected), abs=1e-12)
