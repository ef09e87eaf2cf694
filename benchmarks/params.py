"""The parameters that `dvc repro` resolved for the stages, as the benchmarks use them."""

import json
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from pipeline.core.files import read_json

PARAMS = Path("data/params.json")
Params = TypeVar("Params", bound=BaseModel)


def read_params(kind: type[Params], section: str, name: str, **changes: object) -> Params:
    """Return the parameters of a stage's instance, with some values changed."""
    return kind.model_validate_json(json.dumps({**read_json(PARAMS)[section][name], **changes}))
