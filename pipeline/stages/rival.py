"""rival: examples -> a cell of the study, a model without an encoder."""

from pipeline.core.files import write_json
from pipeline.core.stage import In, Out
from pipeline.core.tables import read_parquet
from pipeline.evaluate.baselines import majority, tfidf
from pipeline.settings.study import RivalParams
from pipeline.study.budget import budget
from pipeline.study.cell import NO_TRAINING, document


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
