"""calibrate: tokens and a fine-tuned model -> what is answered from what it computes."""

from pipeline.core.files import write_json
from pipeline.core.stage import In, Out
from pipeline.core.tables import read_arrow
from pipeline.evaluate.kind import Measures
from pipeline.settings.production import CalibrateParams


def run(params: CalibrateParams, kind: Measures, *, tokens: In, model: In, calibration: Out) -> None:
    """Choose on the validation split what the answers of the model follow."""
    record = {"task": params.task, **kind.calibrate(read_arrow(tokens), model, params)}
    numbers = record.get("validation") or {}
    if numbers:
        print(", ".join(f"{key} {value:.4g}" for key, value in numbers.items() if value is not None))
    write_json(calibration, record)
