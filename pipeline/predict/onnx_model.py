"""A model in ONNX Runtime, on the CPU: a session, and the logits of a padded batch."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from pipeline import CPU_WORDS
from pipeline.core.errors import REPRODUCE, EnvironmentFault
from pipeline.predict.logits import Arrays, Compute

ERRORS_ONLY = 3  # of ONNX Runtime's levels of severity
SETTINGS = {
    # A thread that has nothing to do waits, where it would by default spin and take the processor from other work.
    "session.intra_op.allow_spinning": "0",
    "session.inter_op.allow_spinning": "0",
}
# Kernels whose sums of int8 products do not saturate. With VNNI no kernel's do, and these take 2.5 times as long.
EXACT_SUMS = {"session.x64quantprecision": "1"}
_VNNI = {"avx512_vnni", "avx_vnni"}  # as Linux names them


def has_vnni(words: Collection[str] = CPU_WORDS) -> bool:
    """Return whether the processor adds int8 products without saturation; False if the system does not say."""
    return not _VNNI.isdisjoint(words)


def open_onnx(path: Path, *, threads: int) -> Compute:
    """Return what computes the logits, (B, C) or (B, T, C), of those arrays of a batch that the model has as inputs.

    `threads` 0 is one a core.

    Raises:
        EnvironmentFault: The file is missing or damaged.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = ERRORS_ONLY
    for name, value in (SETTINGS if has_vnni() else SETTINGS | EXACT_SUMS).items():
        options.add_session_config_entry(name, value)
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the library has a class of its own for each kind of damage
        raise EnvironmentFault(f"{path}: not a usable ONNX model, {error}. {REPRODUCE}") from error

    names = [each.name for each in session.get_inputs()]

    def compute(arrays: Arrays) -> npt.NDArray[np.float32]:
        logits: npt.NDArray[np.float32] = session.run(["logits"], {name: arrays[name] for name in names})[0]
        return logits

    return compute
