"""Learning of multi-label classification: a binary cross-entropy for each class."""

from pathlib import Path

import pyarrow as pa
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from pipeline.core.tables import labels_of
from pipeline.finetune.learning import Finish, Learning
from pipeline.kinds.multi_label_classification.objective import LABEL_SETS, SetRows, SetScores, set_rows_of
from pipeline.models.heads import Head, name_classes
from pipeline.models.inputs import max_length_of
from pipeline.models.layers import require_fit
from pipeline.models.tokenizer import save_tokenizer


def label_set_head(table: pa.Table) -> Head:
    """Return the head that tells which classes of a table a text has."""
    return Head(
        AutoModelForSequenceClassification,
        {**name_classes(labels_of(table)), "problem_type": "multi_label_classification"},
    )


def _finish(_model: PreTrainedModel, _validation: SetRows, best: SetScores) -> Finish:
    names = ("micro_f1", "macro_f1", "mean_average_precision", "loss", "step")
    return Finish({name: getattr(best, name) for name in names}, {})


def _save_inputs(encoder: Path, folder: Path, table: pa.Table) -> None:
    save_tokenizer(encoder, folder, max_length=max_length_of(table))


LEARNING = Learning(
    head=label_set_head,
    rows=set_rows_of,
    require_fit=lambda rows, model: require_fit(rows.tokens, model),
    reads="first token",
    objective=LABEL_SETS,
    finish=_finish,
    save_inputs=_save_inputs,
)
