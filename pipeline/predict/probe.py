"""The probe of a bundle: rows computed when it is opened, and compared with what they were when it was made.

A processor with other instructions computes int8 otherwise, by more than the last bits.
"""

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.errors import EnvironmentFault
from pipeline.predict.bundle import Manifest, OnnxBackend
from pipeline.predict.kind import Answers
from pipeline.predict.logits import Compute, compute_in_batches, compute_tokens_in_batches

# Of a logit in fp32, in the unit of the kind: some hundred times the noise of another order of summation.
_LARGEST_DIFFERENCE = 1e-3
_LARGEST_SHARE_FLIPPED = 0.05  # of the answers in int8


def check_probe(
    folder: Path, manifest: Manifest, answers: Answers, reader: Any, backend: OnnxBackend, compute: Compute
) -> None:
    """Check that a backend computes on this machine what it computed where the bundle was made.

    `reader` is what the questions of the kind have opened of the bundle.

    Raises:
        EnvironmentFault: It does not.
    """
    probe, reading = manifest.probe, answers.questions.reading
    rows, collate = reading.restore(reader, probe), reading.collate(reader, manifest.pad_token_id)
    made: Any = [np.array(logits, np.float32) for logits in probe.logits[backend]]
    if answers.reads == "every token":
        here: Any = compute_tokens_in_batches(compute, rows, collate=collate)
    else:
        here, made = compute_in_batches(compute, rows, classes=len(manifest.labels), collate=collate), np.stack(made)
    differences = [np.abs(own - other).max(initial=0.0) for own, other in zip(here, made, strict=True)]
    difference = float(np.max(differences, initial=0.0)) / answers.unit(made)
    outputs = answers.activate(here), answers.activate(made)
    flipped = answers.differ(*outputs, manifest.labels, answers.decide(None))
    if backend == "fp32" and not difference <= _LARGEST_DIFFERENCE:
        raise EnvironmentFault(
            f"{folder}: this machine computes other logits than the one that made the bundle, by {difference:.2g} "
            f"(at most {_LARGEST_DIFFERENCE:g}). Install the versions that {folder / 'model.json'} names."
        )
    if backend == "int8" and flipped.sum() > _LARGEST_SHARE_FLIPPED * len(flipped):
        raise EnvironmentFault(
            f"{folder}: int8 gives other answers here than where the bundle was made, {flipped.sum()} of "
            f"{len(flipped)}. Choose the backend fp32, or export on a processor like this one."
        )
