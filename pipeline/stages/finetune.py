"""finetune: tokens and a pretrained encoder -> the model that did best on validation, and how it came about."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.files import remove, write_json
from pipeline.core.stage import In, Out
from pipeline.core.tables import labels_of, read_arrow
from pipeline.finetune.classification import CLASSES, Rows
from pipeline.finetune.lora import low_rank
from pipeline.models.batches import ragged
from pipeline.models.folder import new_classifier
from pipeline.models.layers import freeze, only_what_the_head_reads, require_fit
from pipeline.models.processes import joined
from pipeline.report.cards import card, save
from pipeline.settings.task import FinetuneParams
from pipeline.train.choice import chosen, key
from pipeline.train.identity import identity
from pipeline.train.resume import to_the_end
from pipeline.train.training import Training


def run(params: FinetuneParams, *, tokens: In, encoder: In, model: Out, history: Out) -> None:
    """Fine-tune the encoder on the train split; choose the best weights on the validation split.

    Started by torchrun, each process computes its share of every batch, and the first publishes.
    """
    checkpoints = model.with_name(f"{model.name}.checkpoints")  # not a DVC output: DVC removes those before a run
    table = read_arrow(tokens)
    labels = labels_of(table)
    train, validation = rows_of(table, "train"), rows_of(table, "validation")
    classifier = new_classifier(encoder, labels, dropout=params.dropout, seed=params.seed)
    for rows in (train, validation):
        require_fit(rows.tokens, classifier)
    freeze(classifier, embeddings=params.freeze_embeddings, layers=params.freeze_layers)
    who = identity(params, (tokens, encoder), stage="finetune")
    with (
        joined() as ranks,
        low_rank(classifier, params.lora, seed=params.seed),
        only_what_the_head_reads(classifier),
        chosen(classifier, train, params, checkpoints / "choice.json", who, ranks, CLASSES) as (choice, device),
    ):
        training = Training(classifier, train, validation, params, device, CLASSES, ranks)
        trained = to_the_end(training, checkpoints, key=key(who, choice, processes=ranks.size))
        if not ranks.first:
            return
    record = {
        "task": params.task,
        "labels": labels,
        "device": {"device": device.device.type, **choice._asdict()},
        "examples": {"train": len(train.ids), "validation": len(validation.ids)},
        "truncated": pc.sum(table["truncated"]).as_py(),
        "steps": trained.steps,
        "best": trained.best._asdict(),
        "stopped": trained.stopped,
        "evaluations": [found._asdict() for found in trained.evaluations],
    }
    write_json(history, record)
    save(classifier, encoder, card(task=params.task, labels=labels, history=record, params=params.model_dump()), model)
    remove(checkpoints)


def rows_of(table: pa.Table, split: str) -> Rows:
    """Return the rows of one split."""
    part = table.filter(pc.equal(table["split"], split))
    return Rows(ragged(part["input_ids"]), part["labels"].to_numpy().astype(np.int64), tuple(part["id"].to_pylist()))
