"""confirm: the values of a candidate -> its score on validation with another seed, and its answers on test."""

from pipeline.core.files import read_json, write_json
from pipeline.core.stage import In, Out
from pipeline.core.tables import write_parquet
from pipeline.finetune.learning import Learning
from pipeline.search.answers import predict_test
from pipeline.search.parts import locate_work
from pipeline.search.training import TrainingFiles, train_values
from pipeline.settings.search.sections import ConfirmParams
from pipeline.settings.shared.kind import Settings


def run(
    params: ConfirmParams,
    learning: Learning,
    settings: Settings,
    *,
    finalist: In,
    tokens: In,
    start: In,
    result: Out,
    predictions: Out,
) -> None:
    """Train the candidate with the seed of `params`, and predict the test rows, which only `search` reads.

    Without such a candidate the result is null, and there are no predictions.
    """
    values = read_json(finalist)
    model, document = None, None
    if values is not None:
        files = TrainingFiles(tokens, start / "encoder", locate_work(result, start), "confirm")
        model, document = train_values({**params.finetune, "seed": params.seed}, values, files, learning, settings)
    write_json(result, document)
    write_parquet(
        predictions, predict_test(model if document and document["score"] is not None else None, learning, tokens)
    )
