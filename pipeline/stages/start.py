"""start: an encoder -> the folder that the cells of one arm start from."""

import shutil

from pipeline.core.errors import EnvironmentFault
from pipeline.core.files import publish
from pipeline.core.stage import In, Out
from pipeline.models.tokenizer import TOKENIZER_FILES
from pipeline.settings.study import StartParams

SHAPE = "config.json"


def run(params: StartParams, *, encoder: In, start: Out) -> None:
    """Copy the encoder, or its shape and tokenizer alone: other pretrained weights then rerun no random start."""
    kept = [path for path in sorted(encoder.iterdir()) if path.name in (SHAPE, *TOKENIZER_FILES)]
    kept += sorted(encoder.glob("*.safetensors")) if params.initial == "pretrained" else []
    if not any(path.name == SHAPE for path in kept):
        raise EnvironmentFault(f"{encoder} has no {SHAPE}, so it is no encoder. Run `dvc repro`, which makes it again.")
    with publish(start) as partial:
        partial.mkdir()
        for path in kept:
            shutil.copyfile(path, partial / path.name)
