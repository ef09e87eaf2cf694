"""The identity of a training: one hash of all that its bytes depend on, so that only the same training resumes."""

import hashlib
import platform
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path

import torch

import pipeline
from pipeline.core.document import json_text
from pipeline.core.files import sha256
from pipeline.core.fingerprint import fingerprint, list_starts
from pipeline.core.modules import parse_package
from pipeline.core.versions import normalise_distribution
from pipeline.settings.task import TrainingParams


def identify_training(params: TrainingParams, inputs: Sequence[Path], *, stage: str, kind: str | None = None) -> str:
    """Return 64 hexadecimal digits of the inputs' bytes, the params, the code that `stage` reaches, and the machine.

    `kind` is that of the task, if the stage asks for a facet of it.

    An input is a file or a folder. The versions are those installed, of Python and of every package the code reaches.
    The compute choice (threads, precision, attention) is not included: see `choice.checkpoint_key`.
    """
    files = [sorted(path.rglob("*")) if path.is_dir() else [path] for path in inputs]
    versions = {normalise_distribution(distribution.name): distribution.version for distribution in distributions()}
    modules = parse_package(Path(pipeline.__file__).parent)
    record = {
        "inputs": [[(path.name, sha256(path)) for path in paths if path.is_file()] for paths in files],
        "params": params.model_dump(mode="json"),
        "code": fingerprint(modules, list_starts(modules, stage, kind), versions),
        "machine": [
            platform.python_version(),
            platform.machine(),
            torch.cuda.get_device_name()
            if torch.cuda.is_available()
            else [torch.backends.cpu.get_cpu_capability(), dict(sorted(torch.cpu.get_capabilities().items()))],
        ],
    }
    return hashlib.sha256(json_text(record).encode()).hexdigest()
