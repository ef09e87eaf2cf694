"""export: tokens, a fine-tuned model and its decision -> a bundle that runs without torch, and the proof of it."""

import pyarrow.compute as pc

from pipeline.core.files import publish, read_json, write_json
from pipeline.core.stage import In, Out
from pipeline.core.tables import read_arrow
from pipeline.evaluate.kind import Measures
from pipeline.export.bundle_writer import open_trained, write_bundle
from pipeline.models.inference import Feed
from pipeline.predict.kind import Answers
from pipeline.settings.production import ExportParams


def run(
    params: ExportParams, kind: Answers, measures: Measures, feed: Feed, *, tokens: In, model: In, calibration: In,
    bundle: Out, exported: Out,
) -> None:  # fmt: skip
    """Export the model to ONNX, compare it with the trained one on validation, and ship int8 if it is as good."""
    table = read_arrow(tokens)
    trained = open_trained(model, kind, measures, feed, table, read_json(calibration))
    validation = table.filter(pc.equal(table["split"], "validation"))
    with publish(bundle) as partial:
        manifest = write_bundle(partial, trained, validation, params)
        sizes = {path.name: path.stat().st_size for path in sorted(partial.iterdir())}
    kept = ("task", "version", "default", "backends", "parity", "versions")
    write_json(exported, {**{key: manifest[key] for key in kept}, "bytes": sizes})
    refused = manifest["parity"]["int8_refused"]
    print(f"int8 is not shipped: {refused}" if refused else "int8 is shipped, and the default")
