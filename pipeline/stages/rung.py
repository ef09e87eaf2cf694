"""rung: a trial that goes on, and its checkpoint -> its score on validation after the next part of its training."""

from pipeline.core.files import read_json, write_json
from pipeline.core.stage import In, Out
from pipeline.finetune.learning import Learning
from pipeline.search.parts import continue_from, locate_work, publish_checkpoint
from pipeline.search.training import TrainingFiles, train_values
from pipeline.search.trials import PAUSED
from pipeline.settings.search.sections import TrialParams
from pipeline.settings.shared.kind import Settings


def run(
    params: TrialParams,
    learning: Learning,
    settings: Settings,
    *,
    earlier: In,
    start: In,
    before: In,
    result: Out,
    checkpoint: Out,
) -> None:
    """Go on with the training of a trial from the checkpoint `before`, as if it had never paused.

    `earlier` is the result of the part before, null for a trial that was dropped, which trains no more. Nor does one
    that has ended.
    """
    document, work = read_json(earlier), locate_work(result, start)
    if document is not None and document["stopped"] == PAUSED:
        continue_from(before, work)
        files = TrainingFiles(start / "tokens.arrow", start / "encoder", work, "trial")
        _, document = train_values(params.finetune, document["values"], files, learning, settings, until=params.until)
    else:
        print("dropped: other trials of the round are better" if document is None else "ended before")
    write_json(result, document)
    publish_checkpoint(checkpoint, work)
