"""trial: values that were proposed -> the score on validation of a model that is trained with them, or a part of it."""

from pipeline.core.errors import UsageError
from pipeline.core.files import read_json, write_json
from pipeline.core.stage import In, Out
from pipeline.finetune.learning import Learning
from pipeline.search.parts import locate_work, publish_checkpoint
from pipeline.search.training import TrainingFiles, train_values
from pipeline.settings.search.sections import TrialParams
from pipeline.settings.shared.kind import Settings


def run(
    params: TrialParams,
    learning: Learning,
    settings: Settings,
    *,
    proposal: In,
    start: In,
    result: Out,
    checkpoint: Out | None = None,
) -> None:
    """Train with the values proposed, on tokens without a test split; an idle slot writes null.

    A part of a trial leaves a `checkpoint` to go on from.

    Raises:
        UsageError: It is a part, and there is nowhere to leave it.
    """
    if params.until < 1 and checkpoint is None:
        raise UsageError("search.halving: its stages are missing. Run `python -m pipeline overlay profiles/halving`.")
    values, document, work = read_json(proposal), None, locate_work(result, start)
    if values is None:
        print("idle: all values of the space are tried")
    else:
        print(", ".join(f"{key} {value}" for key, value in values.items()), flush=True)
        files = TrainingFiles(start / "tokens.arrow", start / "encoder", work, "trial")
        _, document = train_values(params.finetune, values, files, learning, settings, until=params.until)
    write_json(result, document)
    if checkpoint is not None:
        publish_checkpoint(checkpoint, work)
