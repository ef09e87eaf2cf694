"""The resolved parameters of the stages, as the benchmarks use them."""

import json
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from pipeline.core.files import read_json

PARAMS = Path("data/params.json")
Params = TypeVar("Params", bound=BaseModel)


def read_params(kind: type[Params], section: str, name: str, *, file: Path = PARAMS, **changes: object) -> Params:
    """Return the parameters of a stage's instance, with some values changed; `file` has those of all stages."""
    return kind.model_validate_json(json.dumps({**read_json(file)[section][name], **changes}))
