"""export: tokens, a fine-tuned model and its decision -> a bundle that runs without torch, and the proof of it."""

from pipeline.core.files import publish, read_json, write_json
from pipeline.core.stage import In, Out
from pipeline.core.tables import labels_of, max_length_of, read_arrow
from pipeline.export.bundle_writer import write_bundle
from pipeline.finetune.classification import rows_of
from pipeline.models.folder import load_classifier
from pipeline.settings.production import ExportParams


def run(params: ExportParams, *, tokens: In, model: In, calibration: In, bundle: Out, exported: Out) -> None:
    """Export the model to ONNX, compare it with the trained one on validation, and ship int8 if it is as good."""
    table = read_arrow(tokens)
    labels = labels_of(table)
    classifier = load_classifier(model, labels)
    with publish(bundle) as partial:
        manifest = write_bundle(
            partial,
            classifier,
            model,
            rows_of(table, "validation"),
            params,
            labels=labels,
            max_length=max_length_of(table),
            decision=read_json(calibration)["decision"],
        )
        sizes = {path.name: path.stat().st_size for path in sorted(partial.iterdir())}
    kept = ("task", "version", "default", "backends", "parity", "versions")
    write_json(exported, {**{key: manifest[key] for key in kept}, "bytes": sizes})
    refused = manifest["parity"]["int8_refused"]
    print(f"int8 is not shipped: {refused}" if refused else "int8 is shipped, and the default")
