"""pretrain: a corpus, and an encoder or none -> a pretrained encoder with its tokenizer, and its history."""

from pipeline.core.files import remove, write_json
from pipeline.core.stage import In, Out
from pipeline.models.folder import save_encoder
from pipeline.models.processes import first_then_others, join_ranks
from pipeline.pretrain.batches import chance_metrics
from pipeline.pretrain.families import open_encoder, require_pair_head
from pipeline.pretrain.objective import TEXT
from pipeline.pretrain.prepare import prepare, read_corpora
from pipeline.report.cards import encoder_card
from pipeline.settings.pretrain import PretrainParams
from pipeline.train.choice import checkpoint_key, restore_choice, with_choice
from pipeline.train.identity import identify_training
from pipeline.train.resume import run_to_end
from pipeline.train.training import Training


def run(params: PretrainParams, *, documents: In, base: In, encoder: Out, history: Out) -> None:
    """Learn the tokenizer if asked, then pretrain; keep the weights with the lowest loss on held-out documents.

    Under torchrun each process computes its share of every batch, and the first one publishes.
    """
    require_pair_head(params)
    work = encoder.with_name(f"{encoder.name}.checkpoints")  # not a DVC output: DVC removes those before a run
    live = history.parents[1] / "live/pretrain" / params.encoder
    identity = identify_training(params, (documents, base), stage="pretrain")
    with join_ranks() as ranks:
        with first_then_others(ranks):
            if ranks.first:
                prepare(params, documents, base, work, identity)
        train, held_out = read_corpora(work)
        model = open_encoder(params, base, train.vocabulary)
        choice = restore_choice(model, train, params, TEXT, path=work / "choice.json", identity=identity, ranks=ranks)
        with with_choice(model, choice, params, ranks) as device:
            training = Training(model, train, held_out, params, device, TEXT, ranks)
            key = checkpoint_key(identity, choice, processes=ranks.size)
            trained = run_to_end(training, work / "steps", key=key, live=live)
            if not ranks.first:
                return
    record = {
        "encoder": params.encoder,
        "device": {"device": device.device.type, **choice._asdict()},
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "vocabulary": len(train.vocabulary.begins),
        "documents": {"train": len(train.ids), "held_out": len(held_out.ids)},
        "tokens": {"train": len(train.tokens), "held_out": len(held_out.tokens)},
        "chance": chance_metrics(train, held_out, params),
        "steps": trained.steps,
        "best": trained.best._asdict(),
        "stopped": trained.stopped,
        "evaluations": [evaluation._asdict() for evaluation in trained.evaluations],
    }
    write_json(history, record)
    save_encoder(model, work / "tokenizer", encoder_card(record, params.model_dump()), encoder)
    remove(work)
