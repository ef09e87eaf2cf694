import json
from pathlib import Path

import numpy as np

from pipeline.evaluate.baselines import Fit
from pipeline.evaluate.ngrams import count_ngrams
from pipeline.inspection import crossfit
from pipeline.inspection.crossfit import predict_out_of_sample
from pipeline.settings.parse import parse_params
from pipeline.settings.task import BaselineParams

ROWS, WIDTH = 150, 300


def predict(classes, vectors, texts, folds=5, **changed):
    plain, _ = parse_params(Path("params.yaml").read_text(encoding="utf-8"))
    params = BaselineParams.model_validate_json(json.dumps({**plain["baseline"], "task": "t"} | changed))
    ids, dealt = [str(row) for row in range(len(classes))], np.arange(len(classes)) % folds
    return list(predict_out_of_sample(params, ids, count_ngrams(params, texts), vectors, classes, dealt, count=2))


def test_a_model_that_could_memorise_knows_nothing_of_random_labels():
    """The vectors are wider than the rows are many, so a model that had seen a row would know its label."""
    random = np.random.default_rng(0)
    classes, vectors = random.integers(0, 2, ROWS), random.normal(size=(ROWS, WIDTH)).astype(np.float32)
    right = [
        (values.argmax(axis=1) == classes[rows]).mean() for rows, values in predict(classes, vectors, ["a b"] * ROWS)
    ]
    assert np.mean(right) < 0.65


def test_each_example_is_predicted_once_with_probabilities():
    random = np.random.default_rng(1)
    classes, vectors = random.integers(0, 2, ROWS), random.normal(size=(ROWS, 4)).astype(np.float32)
    parts = predict(classes, vectors, ["a b"] * ROWS)
    assert sorted(np.concatenate([rows for rows, _ in parts]).tolist()) == list(range(ROWS))
    assert np.allclose(np.concatenate([values for _, values in parts]).sum(axis=1), 1)


def test_both_models_have_a_say():
    random = np.random.default_rng(2)
    classes, noise = random.integers(0, 2, ROWS), random.normal(size=(ROWS, 4)).astype(np.float32)
    told = [f"{'sun' if label else 'moon'} and more" for label in classes]
    shown = noise + 5 * classes[:, None].astype(np.float32)
    for vectors, texts in ((noise, told), (shown, ["a b"] * ROWS)):
        for rows, values in predict(classes, vectors, texts):
            assert (values.argmax(axis=1) == classes[rows]).mean() > 0.8


def test_the_first_fold_chooses_for_all(monkeypatch):
    """Each later fold is left one choice: that of the first."""
    tried: dict[str, list[tuple[float, ...]]] = {"tfidf": [], "probe": []}

    def record(name, key):
        fit = getattr(crossfit, f"fit_{name}")

        def fit_and_record(params, *ngrams, **data):
            tried[name].append(getattr(params, key))
            fitted.setdefault(name, fit(params, *ngrams, **data))
            return fit(params, *ngrams, **data)

        monkeypatch.setattr(crossfit, f"fit_{name}", fit_and_record)

    fitted: dict[str, Fit] = {}
    record("tfidf", "strengths"), record("probe", "probe_strengths")
    random = np.random.default_rng(3)
    classes, vectors = random.integers(0, 2, ROWS), random.normal(size=(ROWS, 4)).astype(np.float32)
    predict(classes, vectors, [f"{'sun' if label else 'moon'} and more" for label in classes])
    for name, choices in tried.items():
        assert len(choices[0]) > 1
        assert choices[1:] == [(fitted[name].strength,)] * 4


def test_of_many_examples_a_sample_teaches_and_all_are_predicted(monkeypatch):
    """Each fold of 200 examples is predicted by 100 of the other 800, and another 20 choose."""
    sizes, fit = [], crossfit.fit_tfidf

    def fit_and_record(params, *ngrams, train, validation, classes):
        sizes.append((len(train[0]), len(train[1]), len(validation[0])))
        return fit(params, *ngrams, train=train, validation=validation, classes=classes)

    monkeypatch.setattr(crossfit, "fit_tfidf", fit_and_record)
    random = np.random.default_rng(4)
    classes, vectors = random.integers(0, 2, 1000), random.normal(size=(1000, 4)).astype(np.float32)
    texts = [f"{'sun' if label else 'moon'} and more" for label in classes]
    parts = predict(classes, vectors, texts, sample=100)
    assert sizes == [(100, 100, 20)] * 5
    assert sorted(np.concatenate([rows for rows, _ in parts]).tolist()) == list(range(1000))
