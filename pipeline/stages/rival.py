"""rival: examples -> a cell of the study, a model without an encoder."""

import numpy as np

from pipeline.core.files import write_json
from pipeline.core.stage import Gate, In, Out
from pipeline.core.tables import read_parquet, write_parquet
from pipeline.evaluate.baselines import fit_tfidf, predict_majority
from pipeline.evaluate.ngrams import count_ngrams
from pipeline.settings.study import RivalParams
from pipeline.study.budget import draw_budget
from pipeline.study.cell import NO_TRAINING, cell_document, predictions_table


def run(params: RivalParams, *, examples: In, findings: Gate, cell: Out, predictions: Out) -> None:
    """Fit the largest class, or TF-IDF with logistic regression, on the labels of the cell."""
    budget = draw_budget(read_parquet(examples), labels=params.labels, seed=params.seed)
    train, validation, classes = budget.train, budget.validation, len(budget.class_names)
    if params.baseline is None:
        probabilities = predict_majority(train.classes, classes=classes, rows=len(budget.test.ids))
    else:
        parts = [train.texts, validation.texts, budget.test.texts]
        rows = np.split(np.arange(sum(map(len, parts))), np.cumsum([len(texts) for texts in parts])[:-1])
        fit = fit_tfidf(
            params.baseline,
            count_ngrams(params.baseline, [text for texts in parts for text in texts]),
            train=(rows[0], train.classes),
            validation=(rows[1], validation.classes),
            classes=classes,
        )
        probabilities = fit.predict(rows[2])
        print(f"tfidf: {fit.describe()}")
    predicted = probabilities.argmax(axis=1)
    write_json(cell, cell_document(params, budget, predicted, NO_TRAINING))
    write_parquet(predictions, predictions_table(params.task, budget, predicted))
