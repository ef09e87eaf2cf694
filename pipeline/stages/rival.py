"""rival: examples -> a cell of the study, a model without an encoder."""

from pipeline.arms import RivalParams
from pipeline.baselines import majority, tfidf
from pipeline.cell import NO_TRAINING, budget, document
from pipeline.files import write_json
from pipeline.stage import In, Out
from pipeline.tables import read_parquet


def run(params: RivalParams, *, examples: In, findings: In, cell: Out) -> None:  # noqa: ARG001
    """Fit the largest class, or TF-IDF with logistic regression, on the labels of the cell.

    `findings` is not read: that it is there says that validate let the examples pass.
    """
    given = budget(read_parquet(examples), labels=params.labels, seed=params.seed)
    if params.baseline is None:
        found = majority(given.train.classes, classes=len(given.labels), rows=len(given.test.ids))
    else:
        found = tfidf(
            params.baseline,
            train=(given.train.texts, given.train.classes),
            validation=(given.validation.texts, given.validation.classes),
            texts=given.test.texts,
            classes=len(given.labels),
        )
    write_json(cell, document(params, given, found.argmax(axis=1), NO_TRAINING))
