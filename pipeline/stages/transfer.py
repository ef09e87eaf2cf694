"""transfer: the cells of the study -> what pretraining brings, as numbers and as curves."""

from pipeline.core.files import publish, read_json, write_json
from pipeline.core.stage import In, Out
from pipeline.settings.study import TransferParams, cells_of
from pipeline.study.results import curves_csv, joined


def run(params: TransferParams, *, cells: In, transfer: Out, curves: Out) -> None:
    """Join the cells that `params` names; other files in the folder do not matter."""
    named = cells_of(params, params.arms)
    found = joined(params, {cell: read_json(cells / f"{name}.json") for name, cell in named})
    write_json(transfer, found)
    with publish(curves) as partial:
        partial.write_text(curves_csv(found), encoding="utf-8", newline="")
