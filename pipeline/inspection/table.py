"""The suspects of a task as a table to edit, and as a document for the report."""

import csv
import io
from collections import Counter
from collections.abc import Sequence

import pyarrow as pa

from pipeline.core.document import Document
from pipeline.core.format import shorten
from pipeline.core.tables import labels_of
from pipeline.evaluate.metrics import Floats, Ints
from pipeline.examples.pairs import whole_texts
from pipeline.examples.records import places_of
from pipeline.inspection.suspects import REASONS, Suspect
from pipeline.settings.corrections import inert_cell

COLUMNS = ("line", "id", "split", "label", "suggested", "confidence", "reason", "rivals", "text", "correction")
_CONFIDENCE_DIGITS = 4  # the last bits depend on the processor
_MOST_RIVALS = 20
_MOST_CHARACTERS = 10_000  # of a cell: Python's reader of CSV takes 131,072 at most, a spreadsheet 32,767


def tabulate_suspects(suspects: Sequence[Suspect], examples: pa.Table) -> list[Document]:
    """Return each suspect as strict JSON, in order: the columns of `COLUMNS` but the last; of its rivals, the first."""
    labels = labels_of(examples)
    table = examples.take(pa.array([suspect.row for suspect in suspects], pa.int64()))
    places = places_of(examples)
    return [
        {
            "line": places[suspect.row],
            "id": row["id"],
            "split": row["split"],
            "label": labels[row["label"]],
            "suggested": None if suspect.suggested is None else labels[suspect.suggested],
            "confidence": round(suspect.confidence, _CONFIDENCE_DIGITS),
            "reason": list(suspect.reasons),
            "rivals": [places[rival] for rival in suspect.rivals[:_MOST_RIVALS]],
            "text": text,
        }
        for suspect, row, text in zip(suspects, table.to_pylist(), whole_texts(table), strict=True)
    ]


def format_table(suspects: Sequence[Document]) -> str:
    """Return described suspects as CSV with an empty column `correction`, for any spreadsheet (with a BOM).

    Long cells are cut; of those that are read back, `id` and `label`, none is long.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for suspect in suspects:
        values = {
            **suspect,
            "suggested": suspect["suggested"] or "",
            "reason": " ".join(suspect["reason"]),
            "rivals": " ".join(map(str, suspect["rivals"])),
            "correction": "",
        }
        writer.writerow(inert_cell(shorten(str(values[name]), _MOST_CHARACTERS)) for name in COLUMNS)
    return "\ufeff" + text.getvalue()


def summarize_suspects(suspects: Sequence[Suspect], classes: Ints, probabilities: Floats) -> Document:
    """Return the number of examples, how often the out-of-sample models agree with their labels, and the reasons.

    An example may be suspicious for several reasons.
    """
    counts = Counter(reason for suspect in suspects for reason in suspect.reasons)
    return {
        "rows": len(classes),
        "agreement": float((probabilities.argmax(axis=1) == classes).mean()),
        "suspicious": len(suspects),
        "reasons": {reason: counts[reason] for reason in REASONS},
    }
