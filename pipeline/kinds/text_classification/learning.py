"""Learning of text classification: cross-entropy over classes, then a temperature."""

from pathlib import Path

import pyarrow as pa
from transformers import PreTrainedModel

from pipeline.core.tables import labels_of
from pipeline.finetune.classification import CLASSES, Rows, ValidationScores, rows_of
from pipeline.finetune.head import calibrate_head, describe_scores
from pipeline.finetune.learning import Finish, Learning
from pipeline.models.heads import Head, classifier_head, mark_reading
from pipeline.models.inputs import holds_pairs, max_length_of, window_stride
from pipeline.models.layers import require_fit
from pipeline.models.tokenizer import save_tokenizer


def _head(table: pa.Table) -> Head:
    return mark_reading(classifier_head(labels_of(table)), pairs=holds_pairs(table), stride=window_stride(table))


def _finish(model: PreTrainedModel, validation: Rows, best: ValidationScores) -> Finish:
    calibrated = calibrate_head(model, validation.tokens, validation.labels)
    return Finish(describe_scores(best, calibrated), {"calibration": calibrated._asdict()})


def _save_inputs(encoder: Path, folder: Path, table: pa.Table) -> None:
    save_tokenizer(encoder, folder, max_length=max_length_of(table), for_pairs=holds_pairs(table))


LEARNING = Learning(
    head=_head,
    rows=rows_of,
    require_fit=lambda rows, model: require_fit(rows.tokens, model),
    reads="first token",
    objective=CLASSES,
    finish=_finish,
    save_inputs=_save_inputs,
)
