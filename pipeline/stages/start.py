"""start: an encoder -> the folder that the cells of one arm start from."""

import shutil

from pipeline.core.errors import REPRODUCE, EnvironmentFault
from pipeline.core.files import publish
from pipeline.core.stage import In, Out
from pipeline.models.tokenizer import TOKENIZER_FILES
from pipeline.settings.study import StartParams

CONFIG = "config.json"


def run(params: StartParams, *, encoder: In, start: Out) -> None:
    """Copy the encoder, or its configuration and tokenizer alone, so that other weights rerun no random arm.

    Raises:
        EnvironmentFault: The folder holds no encoder.
    """
    files = [path for path in sorted(encoder.iterdir()) if path.name in (CONFIG, *TOKENIZER_FILES)]
    files += sorted(encoder.glob("*.safetensors")) if params.initial == "pretrained" else []
    if not any(path.name == CONFIG for path in files):
        raise EnvironmentFault(f"start: {encoder}: not an encoder, no {CONFIG}. {REPRODUCE}")
    with publish(start) as partial:
        partial.mkdir()
        for path in files:
            shutil.copyfile(path, partial / path.name)
