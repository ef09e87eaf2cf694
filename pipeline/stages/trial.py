"""trial: values that were proposed -> the score on validation of a model that is trained with them."""

from pipeline.core.files import read_json, write_json
from pipeline.core.stage import In, Out
from pipeline.finetune.learning import Learning
from pipeline.search.training import TrainingFiles, place_checkpoints, train_values
from pipeline.settings.search.sections import TrialParams
from pipeline.settings.shared.kind import Settings


def run(params: TrialParams, learning: Learning, settings: Settings, *, proposal: In, start: In, result: Out) -> None:
    """Train with the values proposed, on tokens without a test split; an idle slot writes null."""
    values = read_json(proposal)
    if values is None:
        print("idle: all values of the space are tried")
        write_json(result, None)
        return
    print(", ".join(f"{key} {value}" for key, value in values.items()), flush=True)
    files = TrainingFiles(start / "tokens.arrow", start / "encoder", place_checkpoints(result), "trial")
    _, document = train_values(params.finetune, values, files, learning, settings)
    write_json(result, document)
