"""A tiny model, and the bundle that the stage `export` makes of it."""

from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from filelock import FileLock

from pipeline.core.files import write_json
from pipeline.core.stage import bind_facets, read_declaration
from pipeline.core.tables import description, write_arrow
from pipeline.models.folder import build_classifier
from pipeline.models.tokenizer import load_tokenizer
from pipeline.settings.production import ExportParams
from pipeline.stages import export
from tests.given.encoder import WORDS, make_encoder
from tests.given.training import save_classifier

LABELS = ("bad", "good", "other")
MAX_LENGTH = 24
PARAMS = ExportParams(task="t", kind="text-classification", largest_drop=1.0, level=1e-9)
TEXTS = [" ".join(WORDS[(start * step) % len(WORDS)] for step in range(1, 2 + start % 30)) for start in range(200)]


class Exported(NamedTuple):
    """The paths of a model and its bundle, of the tokens, the decision and the numbers of the export."""

    tokens: Path
    model: Path
    calibration: Path
    bundle: Path
    exported: Path


def paths_in(folder: Path) -> Exported:
    """Return the paths of a folder."""
    return Exported(
        folder / "t.arrow", folder / "model" / "t", folder / "t.json", folder / "export" / "t", folder / "exported.json"
    )


def make_model(folder: Path) -> Exported:
    """Write a classifier with a random head, and the tokens of a validation split."""
    paths = paths_in(folder)
    encoder = make_encoder(folder / "encoder")
    classifier = build_classifier(encoder, LABELS, dropout=0.0, seed=0)
    classifier.classifier.weight.data *= 20  # so that the classes differ
    save_classifier(classifier, encoder, paths.model, max_length=MAX_LENGTH)
    ids = [of.ids for of in load_tokenizer(encoder, max_length=MAX_LENGTH).encode_batch_fast(TEXTS)]
    columns = {
        "id": [str(row) for row in range(len(ids))],
        "split": ["validation"] * len(ids),
        "labels": pa.array([row % 3 for row in range(len(ids))], pa.int64()),
        "input_ids": pa.array(ids, pa.list_(pa.int32())),
        "truncated": [False] * len(ids),
    }
    table = pa.table(columns).replace_schema_metadata({**description("t", LABELS), "max_length": str(MAX_LENGTH)})
    write_arrow(paths.tokens, table.schema, table.to_batches())
    write_json(paths.calibration, {"task": "t", "decision": None})
    return paths


def export_model(paths: Exported, params: ExportParams = PARAMS) -> None:
    """Run the stage."""
    export.run(params, **bind_facets(read_declaration(export.run), params.kind), **paths._asdict())


def prepare_export(shared: Path) -> Exported:
    """Return the same bundle to every test; whoever is first makes it."""
    folder = shared / "exports"
    with FileLock(shared / "exports.lock"):
        if not (folder / "exported.json").is_file():
            folder.mkdir()
            export_model(make_model(folder))
    return paths_in(folder)
