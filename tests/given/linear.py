"""A small linear baseline of films in its folder."""

from pathlib import Path

import numpy as np

from pipeline.evaluate.baselines import Fit, fit_tfidf
from pipeline.evaluate.ngrams import FittedNgrams, count_ngrams
from pipeline.linear.estimators import keep_logistic
from pipeline.linear.saved import SavedLinear, write_linear
from pipeline.settings.task import BaselineParams

FILM_CLASSES = ("bad", "good")
FILMS = ["a good film", "a bad film", "good and warm", "bad and dull", "how good", "how bad"] * 4
PARAMS = BaselineParams(
    task="t", sample=1000, ngrams=1, characters=3, min_df=1, strengths=(1.0,), probe_strengths=(1.0,), max_iter=100
)


def fit_films() -> Fit[FittedNgrams]:
    """Return the fit, whose inputs are the positions of films."""
    labels, rows = np.arange(len(FILMS)) % 2, np.arange(len(FILMS))
    split = (rows, 1 - labels)
    return fit_tfidf(PARAMS, count_ngrams(PARAMS, FILMS), train=split, validation=split, classes=2)


def write_films(folder: Path, task: str = "t") -> Path:
    """Return the folder of the baseline of a task below `data/linear`."""
    fit = fit_films()
    weights, arrays = fit.transform.list_weights(), keep_logistic(fit.model, 2)
    saved = SavedLinear("text-classification", "classes", "tfidf", fit.describe(), None, weights, arrays)
    write_linear(folder / "data/linear" / task, saved, task=task, labels=FILM_CLASSES)
    return folder / "data/linear" / task
