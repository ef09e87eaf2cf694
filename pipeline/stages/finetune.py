"""finetune: tokens and a pretrained encoder -> the best model on validation, its scores there, its history."""

from functools import partial
from importlib.metadata import version

import pyarrow.compute as pc

from pipeline.core.files import remove, write_json
from pipeline.core.stage import In, Out
from pipeline.core.tables import labels_of, max_length_of, read_arrow
from pipeline.finetune.classification import rows_of
from pipeline.finetune.fit import prepare_training
from pipeline.finetune.head import calibrate_head, describe_scores
from pipeline.models.folder import build_classifier, save_classifier
from pipeline.models.processes import join_ranks
from pipeline.settings.task import FinetuneParams
from pipeline.train.choice import checkpoint_key, restore_choice
from pipeline.train.identity import identify_training
from pipeline.train.resume import run_to_end


def run(params: FinetuneParams, *, tokens: In, encoder: In, model: Out, validation: Out, history: Out) -> None:
    """Fine-tune the encoder on the train split; select the best weights and a temperature on the validation split.

    Under torchrun each process computes its share of every batch, and the first one publishes.
    """
    checkpoints = model.with_name(f"{model.name}.checkpoints")  # not a DVC output: DVC removes those before a run
    live = history.parents[1] / "live/finetune" / params.task
    table = read_arrow(tokens)
    labels, train, held_out = labels_of(table), rows_of(table, "train"), rows_of(table, "validation")
    identity = identify_training(params, (tokens, encoder), stage="finetune")
    with join_ranks() as ranks:  # which chooses the GPU of this process
        classifier = build_classifier(encoder, labels, dropout=params.dropout, seed=params.seed)
        choose = partial(restore_choice, path=checkpoints / "choice.json", identity=identity, ranks=ranks)
        with prepare_training(classifier, train, held_out, params, choose=choose, ranks=ranks) as (training, choice):
            trained = run_to_end(training, checkpoints, key=checkpoint_key(identity, choice, ranks.size), live=live)
            if not ranks.first:
                return
    calibrated = calibrate_head(classifier, held_out.tokens, held_out.labels)
    record = {
        "task": params.task,
        "labels": labels,
        "encoder": f"{encoder.parent.name}/{encoder.name}",  # as in params.yaml: its folder below data/
        "max_length": max_length_of(table),
        "device": {"device": training.device.device.type, **choice._asdict()},
        "examples": {"train": len(train.ids), "validation": len(held_out.ids)},
        "truncated": pc.sum(table["truncated"]).as_py(),
        "steps": trained.steps,
        "best": trained.best._asdict(),
        "calibration": calibrated._asdict(),
        "stopped": trained.stopped,
        "evaluations": [scores._asdict() for scores in trained.evaluations],
        "params": params.model_dump(),
        "versions": {package: version(package) for package in ("torch", "transformers", "tokenizers")},
    }
    write_json(validation, describe_scores(trained.best, calibrated))
    write_json(history, record)
    save_classifier(classifier, encoder, model, max_length=max_length_of(table))
    remove(checkpoints)
