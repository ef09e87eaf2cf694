"""Learning of token classification: cross-entropy over the tags of words."""

from pathlib import Path

import pyarrow as pa
from transformers import AutoModelForTokenClassification, PreTrainedModel

from pipeline.core.tables import labels_of
from pipeline.finetune.learning import Finish, Learning
from pipeline.kinds.token_classification.objective import TAGS, TagRows, TagScores, rows_of_tags
from pipeline.models.heads import Head, name_classes
from pipeline.models.inputs import max_length_of
from pipeline.models.layers import require_fit
from pipeline.models.tokenizer import save_tokenizer


def tagger_head(table: pa.Table) -> Head:
    """Return the head that tags each token with one of the classes of a table."""
    return Head(AutoModelForTokenClassification, name_classes(labels_of(table)))


def _finish(_model: PreTrainedModel, _validation: TagRows, best: TagScores) -> Finish:
    scores = ("span_f1", "tag_accuracy", "loss", "step")
    return Finish({name: getattr(best, name) for name in scores}, {})


def _save_inputs(encoder: Path, folder: Path, table: pa.Table) -> None:
    save_tokenizer(encoder, folder, max_length=max_length_of(table), for_words=True)


LEARNING = Learning(
    head=tagger_head,
    rows=rows_of_tags,
    require_fit=lambda rows, model: require_fit(rows.tokens, model),
    reads="every token",
    objective=TAGS,
    finish=_finish,
    save_inputs=_save_inputs,
)
