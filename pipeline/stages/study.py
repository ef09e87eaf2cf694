"""study: examples and the start of an arm -> a cell of the study, a model with an encoder."""

from pipeline.core.errors import REPRODUCE, UsageError
from pipeline.core.files import write_json
from pipeline.core.stage import Gate, In, Out
from pipeline.core.tables import read_parquet, write_parquet
from pipeline.finetune.learning import Learning
from pipeline.models.inference import Feed
from pipeline.settings.study import StudyParams
from pipeline.study.budget import draw_budget
from pipeline.study.cell import NO_TRAINING, cell_document, predictions_table
from pipeline.study.fewshot import finetune_arm, probe_arm


def run(
    params: StudyParams,
    learning: Learning,
    feed: Feed,
    *,
    examples: In,
    findings: Gate,
    start: In,
    cell: Out,
    predictions: Out,
) -> None:
    """Fine-tune or probe the arm's encoder on the labels of the cell, and predict the test rows.

    Raises:
        UsageError: The cell has neither `finetune` nor `probe`.
    """
    budget = draw_budget(read_parquet(examples), labels=params.labels, seed=params.seed)
    if params.finetune is not None:
        predicted, effort = finetune_arm(params, params.finetune, learning, start, budget)
    elif params.probe is not None and params.extract is not None:
        predicted, effort = probe_arm(params, params.extract, params.probe, feed, start, budget), NO_TRAINING
    else:
        raise UsageError(f"study: {params.task}-{params.arm} has neither `finetune` nor `probe`. {REPRODUCE}")
    write_json(cell, cell_document(params, budget, predicted, effort))
    write_parquet(predictions, predictions_table(params.task, budget, predicted))
