"""finetune: tokens and a pretrained encoder -> the best model on validation, its scores there, its history."""

from functools import partial
from importlib.metadata import version

from pipeline.core.files import remove, write_json
from pipeline.core.stage import In, Out
from pipeline.core.tables import read_arrow
from pipeline.finetune.fit import prepare_training
from pipeline.finetune.learning import Learning
from pipeline.models.folder import build_model, save_model
from pipeline.models.inputs import describe_inputs
from pipeline.models.processes import join_ranks
from pipeline.settings.task import FinetuneParams
from pipeline.train.choice import checkpoint_key, restore_choice
from pipeline.train.identity import identify_training
from pipeline.train.resume import run_to_end


def run(
    params: FinetuneParams, kind: Learning, *, tokens: In, encoder: In, model: Out, validation: Out, history: Out
) -> None:
    """Fine-tune the encoder on the train split; select the best weights on the validation split, and finish them there.

    Under torchrun each process computes its share of every batch, and the first one publishes.
    """
    checkpoints = model.with_name(f"{model.name}.checkpoints")  # not a DVC output: DVC removes those before a run
    live = history.parents[1] / "live/finetune" / params.task
    table = read_arrow(tokens)
    train, held_out = kind.rows(table, "train"), kind.rows(table, "validation")
    identity = identify_training(params, (tokens, encoder), stage="finetune", kind=params.kind)
    with join_ranks() as ranks:  # which chooses the GPU of this process
        learner = build_model(encoder, kind.head(table), dropout=params.dropout, seed=params.seed)
        choose = partial(restore_choice, path=checkpoints / "choice.json", identity=identity, ranks=ranks)
        with prepare_training(learner, train, held_out, params, kind, choose=choose, ranks=ranks) as (training, choice):
            trained = run_to_end(training, checkpoints, key=checkpoint_key(identity, choice, ranks.size), live=live)
            if not ranks.first:
                return
    finish = kind.finish(learner, held_out, trained.best)
    record = {
        "task": params.task,
        "encoder": f"{encoder.parent.name}/{encoder.name}",  # as in params.yaml: its folder below data/
        **describe_inputs(table),
        "device": {"device": training.device.device.type, **choice._asdict()},
        "steps": trained.steps,
        "best": trained.best._asdict(),
        **finish.history,
        "stopped": trained.stopped,
        "evaluations": [scores._asdict() for scores in trained.evaluations],
        "params": params.model_dump(),
        "versions": {package: version(package) for package in ("torch", "transformers", "tokenizers")},
    }
    write_json(validation, finish.scores)
    write_json(history, record)
    save_model(learner, lambda folder: kind.save_inputs(encoder, folder, table), model)
    remove(checkpoints)
