"""An encoder with random weights: the shape that a configuration gives, under the processor of its images."""

from pathlib import Path

import torch
import transformers
from huggingface_hub.errors import StrictDataclassError
from transformers import AutoConfig, AutoModel

from pipeline.core.document import Document
from pipeline.core.errors import UsageError
from pipeline.models.device import seeded
from pipeline.models.folder import silence_library
from pipeline.settings.sources import RandomSource


def draw_encoder(params: RandomSource, folder: Path, _scratch: Path) -> None:
    """Write an encoder whose weights depend on its configuration and `params.seed` alone, and its image processor.

    Raises:
        UsageError: The library has no such model or processor, or one that does not take these keys.
    """
    keys = dict(params.config)
    kind = keys.pop("model_type")
    try:
        with seeded(params.seed), silence_library():
            config = AutoConfig.for_model(kind, **keys)
            AutoModel.from_config(config, dtype=torch.float32, trust_remote_code=False).save_pretrained(folder)
            _build_processor(params.processor).save_pretrained(folder)
    except (StrictDataclassError, AttributeError, ValueError, TypeError, ZeroDivisionError, RuntimeError) as error:
        at = f"sources.{params.source}"
        raise UsageError(f"{at}: no such encoder, {error}. Correct `config` or `processor`.") from error


def _build_processor(keys: Document) -> transformers.BaseImageProcessor:
    own = dict(keys)
    name = own.pop("image_processor_type")
    found = getattr(transformers, f"{name}Pil", None) or getattr(transformers, name)
    processor: transformers.BaseImageProcessor = found(**own)
    return processor
