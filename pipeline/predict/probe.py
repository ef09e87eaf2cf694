"""The probe of a bundle: rows computed when it is opened, and compared with what they were when it was made.

A processor with other instructions computes int8 otherwise, by more than the last bits.
"""

from pathlib import Path

import numpy as np

from pipeline.core.errors import EnvironmentFault
from pipeline.predict.bundle import Manifest, OnnxBackend
from pipeline.predict.logits import Compute, compute_in_batches

_LARGEST_DIFFERENCE = 1e-3  # of a logit in fp32: some hundred times the noise of another order of summation
_LARGEST_SHARE_FLIPPED = 0.05  # of the rows in int8


def check_probe(folder: Path, manifest: Manifest, backend: OnnxBackend, compute: Compute) -> None:
    """Check that a backend computes on this machine what it computed where the bundle was made.

    Raises:
        EnvironmentFault: It does not.
    """
    made = np.array(manifest.probe.logits[backend], np.float32)
    here = compute_in_batches(
        compute, manifest.probe.input_ids, classes=len(manifest.labels), pad_token_id=manifest.pad_token_id
    )
    difference = float(np.abs(here - made).max(initial=0.0))
    flipped = int((here.argmax(axis=1) != made.argmax(axis=1)).sum())
    if backend == "fp32" and not difference <= _LARGEST_DIFFERENCE:
        raise EnvironmentFault(
            f"{folder}: this machine computes other logits than the one that made the bundle, by {difference:.2g} "
            f"(at most {_LARGEST_DIFFERENCE:g}). Install the versions that {folder / 'model.json'} names."
        )
    if backend == "int8" and flipped > _LARGEST_SHARE_FLIPPED * len(made):
        raise EnvironmentFault(
            f"{folder}: int8 gives other classes here than where the bundle was made, {flipped} of {len(made)} rows. "
            "Choose the backend fp32, or export on a processor like this one."
        )
