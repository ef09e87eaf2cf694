"""transfer: the cells of the study -> the results of its arms, as a document and as curves."""

from pipeline.core.files import publish, read_json, write_json
from pipeline.core.stage import In, Out
from pipeline.core.tables import read_parquet
from pipeline.settings.study import TransferParams, list_cells
from pipeline.study.cell import read_answers
from pipeline.study.results import CellResult, curves_csv, join_cells


def run(params: TransferParams, *, cells: In, transfer: Out, curves: Out) -> None:
    """Join the cells that `params` names; other files in the folder do not matter."""
    joined = {}
    for name, cell in list_cells(params, params.arms):
        document, table = read_json(cells / f"{name}.json"), read_parquet(cells / f"{name}.parquet")
        joined[cell] = CellResult(document, read_answers(cell, document, table))
    results = join_cells(params, joined)
    write_json(transfer, results)
    with publish(curves) as partial:
        partial.write_text(curves_csv(results), encoding="utf-8", newline="")
