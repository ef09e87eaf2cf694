"""calibrate: tokens and a fine-tuned model -> what is answered from its probabilities."""

from pipeline.calibration.counts import count_answers, share_of
from pipeline.calibration.decision import PLAIN
from pipeline.calibration.thresholds import fit_decision
from pipeline.core.document import Document
from pipeline.core.files import read_json, write_json
from pipeline.core.stage import In, Out
from pipeline.core.tables import labels_of, read_arrow
from pipeline.settings.production import CalibrateParams


def run(params: CalibrateParams, *, tokens: In, model: In, calibration: Out) -> None:
    """Choose thresholds on the validation split; without any to choose, nothing is computed."""
    table = read_arrow(tokens)
    labels, decision = labels_of(table), PLAIN
    numbers: Document | None = None
    if params.abstain or params.favoured:
        from pipeline.finetune.answers import predict_split  # noqa: PLC0415  # seconds that only its users wait for

        probabilities, actual = predict_split(model, table, "validation")
        decision = fit_decision(params, labels, probabilities, actual)
        counts = count_answers(probabilities, actual, labels, decision)
        numbers = {
            "rows": counts.rows,
            "coverage": share_of(counts.sure, counts.rows),
            "accuracy": share_of(counts.right, counts.sure),
            "precision": share_of(counts.hits, counts.called) if params.favoured else None,
            "recall": share_of(counts.hits, counts.members) if params.favoured else None,
        }
        print(", ".join(f"{key} {value:.4g}" for key, value in numbers.items() if value is not None))
    record: Document = {
        "task": params.task,
        "labels": labels,
        "temperature": read_json(model / "config.json")["calibration_temperature"],
        "decision": decision._asdict(),
        "validation": numbers,
    }
    write_json(calibration, record)
