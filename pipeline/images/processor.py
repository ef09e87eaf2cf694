"""The image processor of an encoder: what makes pixels of fixed size out of an image, as the encoder was trained."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from transformers import AutoImageProcessor

from pipeline.core.errors import REPRODUCE, EnvironmentFault
from pipeline.images.shaping import CHANNELS, Bytes, PixelScale, repeat_channels

# Of the two implementations that the library has, of PIL and of torchvision, which differ in the last bits.
BACKEND = "pil"


def load_processor(folder: Path) -> Any:
    """Return the image processor in the folder of an encoder or of a model, that of PIL.

    Raises:
        EnvironmentFault: The folder has none, or a damaged one.
    """
    try:
        return AutoImageProcessor.from_pretrained(
            folder, backend=BACKEND, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        raise EnvironmentFault(
            f"{folder}: no image processor, {error}. Add preprocessor_config.json to the files of its source."
        ) from error


def read_scale(processor: Any) -> PixelScale:
    """Return the scale of a processor."""
    rescale = float(processor.rescale_factor) if processor.do_rescale else 1.0
    if not processor.do_normalize:
        return PixelScale(rescale, (0.0,) * CHANNELS, (1.0,) * CHANNELS)
    mean, std = (repeat_channels(values) for values in (processor.image_mean, processor.image_std))
    return PixelScale(rescale, mean, std)


def shape_images(processor: Any, images: list[Image.Image]) -> Bytes:
    """Return images resized and cropped as the processor says, (N, 3, H, W), all of one size.

    Raises:
        EnvironmentFault: The processor makes something else of them.
    """
    colours = [image.convert("RGB") for image in images]
    try:
        batch = processor(images=colours, do_rescale=False, do_normalize=False, return_tensors="np")["pixel_values"]
        pixels = np.asarray(batch)
    except (ValueError, TypeError, KeyError) as error:
        raise EnvironmentFault(f"{type(processor).__name__}: made no pixels, {error}. {REPRODUCE}") from error
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1] != CHANNELS:
        raise EnvironmentFault(
            f"{type(processor).__name__}: made {pixels.dtype} of shape {pixels.shape}, not bytes of one size. Choose "
            "another encoder."
        )
    return pixels


def describe_processor(processor: Any) -> str:
    """Return what pixels were made with, as JSON: the implementation, its keys, the scale and their size."""
    keys = {key: value for key, value in processor.to_dict().items() if isinstance(value, bool | int | float | dict)}
    return json.dumps({"class": type(processor).__name__, **keys}, sort_keys=True, default=str)
