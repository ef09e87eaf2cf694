"""study: examples and the start of an arm -> a cell of the study, a model with an encoder."""

from pipeline.core.errors import UsageError
from pipeline.core.files import write_json
from pipeline.core.stage import In, Out
from pipeline.core.tables import read_parquet
from pipeline.settings.study import StudyParams
from pipeline.study.budget import budget
from pipeline.study.cell import NO_TRAINING, document
from pipeline.study.fewshot import finetuned, probed


def run(params: StudyParams, *, examples: In, findings: In, start: In, cell: Out) -> None:  # noqa: ARG001
    """Train what the arm says on the labels of the cell, and keep its answers to the test rows.

    `findings` is not read: that it is there says that validate let the examples pass.

    Raises:
        UsageError: The cell says neither how to fine-tune nor how to probe.
    """
    given = budget(read_parquet(examples), labels=params.labels, seed=params.seed)
    if params.finetune is not None:
        found = finetuned(params, params.finetune, start, given)
    elif params.probe is not None and params.extract is not None:
        found = probed(params, params.extract, params.probe, start, given), NO_TRAINING
    else:
        raise UsageError(f"the cell {params.task}-{params.arm} has neither `finetune` nor `probe`; run `dvc repro`")
    write_json(cell, document(params, given, *found))
