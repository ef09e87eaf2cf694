"""The training of a trial or of a candidate: the one engine with other values, scored on the validation split."""

from functools import partial
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError
from transformers import PreTrainedModel

from pipeline.core.document import Document, json_text
from pipeline.core.errors import UsageError
from pipeline.core.files import remove
from pipeline.core.tables import read_arrow
from pipeline.finetune.fit import prepare_training
from pipeline.finetune.learning import Learning
from pipeline.models.folder import build_model
from pipeline.search.parts import Paused, pause_at, write_pause
from pipeline.search.trials import PAUSED
from pipeline.settings.shared.classes import ClassifierParams
from pipeline.settings.shared.kind import Settings
from pipeline.train.choice import checkpoint_key, restore_choice
from pipeline.train.identity import identify_training
from pipeline.train.resume import run_to_end
from pipeline.train.training import Training
from pipeline.train.update import Diverged


class TrainingFiles(NamedTuple):
    """The inputs of a training and the folder of its checkpoints; `stage` is the stage that makes it."""

    tokens: Path
    encoder: Path
    checkpoints: Path
    stage: str


def train_values(
    finetune: Document,
    values: Document,
    files: TrainingFiles,
    learning: Learning,
    settings: Settings,
    *,
    until: float = 1.0,
) -> tuple[PreTrainedModel, Document]:
    """Return the trained model, and the document of its score on validation and its cost.

    The values are set in `finetune`, the section. If a loss is not finite, `score` is None and `stopped` is "diverged".
    An interrupted training resumes from its checkpoints, with the same bytes at the end.

    If not all updates are to be made, but a share `until`, the training pauses with the first evaluation after it. Then
    `stopped` is "paused", the score is the best so far, and the newest checkpoint is that of the pause.

    Raises:
        UsageError: `finetune` or the encoder cannot have these values.
        EnvironmentFault: The checkpoint of a pause cannot be written.
        Stopped: The process was asked to stop.
    """
    params = _with_values(finetune, values, settings)
    table = read_arrow(files.tokens)
    train, held_out = learning.rows(table, "train"), learning.rows(table, "validation")
    identity = identify_training(params, (files.tokens, files.encoder), stage=files.stage, kind=params.kind)
    model = build_model(files.encoder, learning.head(table), dropout=params.dropout, seed=params.seed)
    choose = partial(restore_choice, path=files.checkpoints / "choice.json", identity=identity)
    with prepare_training(model, train, held_out, params, learning, choose=choose) as (training, choice):
        if until < 1:
            pause_at(training, until)
        score, stopped = _run(training, files.checkpoints, checkpoint_key(identity, choice), params.metric)
        examples = sum(len(step.rows) for step in training.steps[: training.done])
        steps = training.done
    if stopped != PAUSED:
        remove(files.checkpoints)
    return model, {"values": values, "score": score, "steps": steps, "examples": examples, "stopped": stopped}


def _with_values(finetune: Document, values: Document, settings: Settings) -> ClassifierParams:
    """Return the section with the values.

    Raises:
        UsageError: The section cannot have these values together.
    """
    try:
        params = settings.sections["finetune"].model_validate_json(json_text({**finetune, **values}))
    except ValidationError as error:
        problems = "; ".join(item["msg"] for item in error.errors())
        raise UsageError(
            f"search: {values}: `finetune` cannot have them, {problems}. Narrow `search.space`."
        ) from error
    assert isinstance(params, ClassifierParams)  # noqa: S101 - `resolve_search` has checked the kind
    return params


def _run(training: Training, checkpoints: Path, key: str, metric: str) -> tuple[float | None, str]:
    """Train to the end; return the best score and how the training ended."""
    try:
        trained = run_to_end(training, checkpoints, key=key)
    except Diverged as error:
        print(f"diverged, which counts as the worst score: {error}", flush=True)
        return None, "diverged"
    except Paused:
        write_pause(training, checkpoints, key)
        return float(getattr(training.result().best, metric)), PAUSED
    return float(getattr(trained.best, metric)), trained.stopped
