"""Shaping of images by Pillow and numpy alone: resized, cropped and scaled as a preprocessor_config.json says.

It makes the same bytes as the library's processors of Pillow, which `export` proves of each bundle on images.
"""

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from pipeline.core.document import Document
from pipeline.core.errors import REPRODUCE, EnvironmentFault
from pipeline.core.files import read_json

Bytes = npt.NDArray[np.uint8]
CHANNELS = 3  # the library's processors and pipelines read RGB
PROCESSOR_FILE = "preprocessor_config.json"

_CONVNEXT = "ConvNextImageProcessor"  # resizes by its `crop_pct`, then crops, up to sides of
_WARPED = 384  # pixels, from which on it resizes alone

Size = tuple[int, int]  # height and width


class PixelScale(NamedTuple):
    """How pixels in bytes become what an encoder reads: `(pixel * rescale - mean) / std`, for each channel."""

    rescale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]


class Shaping(NamedTuple):
    """How an image is resized and cropped: to a size or a shortest side, then to a part of it; None leaves it out."""

    size: Size | None
    shortest: int | None
    resample: Image.Resampling
    crop: Size | None

    def apply(self, image: Image.Image) -> Bytes:
        """Return an image as bytes of RGB, (3, H, W)."""
        image = image.convert("RGB")
        size = self.size or (_keep_ratio(image, self.shortest) if self.shortest else None)
        if size is not None:
            image = image.resize((size[1], size[0]), self.resample)
        pixels = np.asarray(image).transpose(2, 0, 1)
        return np.ascontiguousarray(pixels if self.crop is None else crop_center(pixels, self.crop))


def read_shaping(folder: Path) -> tuple[Shaping, PixelScale]:
    """Return what the preprocessor_config.json in a folder says.

    Raises:
        EnvironmentFault: There is none, or it asks for what only transformers does.
    """
    path = folder / PROCESSOR_FILE
    config = read_json(path)
    try:
        return _read_steps(config), _read_scale(config)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        name = config.get("image_processor_type") if isinstance(config, dict) else None
        raise EnvironmentFault(
            f"{path}: {name or 'no image processor'} resizes in a way that a bundle does not, {error!r}. Use the "
            f"model folder instead, or set a `size` with `height` and `width`. {REPRODUCE}"
        ) from error


def _read_steps(config: Document) -> Shaping:
    resample = Image.Resampling(config.get("resample", Image.Resampling.BILINEAR))
    crop = _to_size(config["crop_size"]) if config.get("do_center_crop") else None
    if not config.get("do_resize"):
        return Shaping(None, None, resample, crop)
    size = config["size"]
    if "shortest_edge" not in size:
        return Shaping(_to_size(size), None, resample, crop)
    if size.keys() != {"shortest_edge"}:
        raise ValueError(size)
    shortest = int(size["shortest_edge"])
    if config["image_processor_type"] != _CONVNEXT:
        return Shaping(None, shortest, resample, crop)
    if crop is not None:
        raise ValueError(crop)
    square = shortest, shortest
    if shortest >= _WARPED:
        return Shaping(square, None, resample, None)
    return Shaping(None, int(shortest / config["crop_pct"]), resample, square)


def _read_scale(config: Document) -> PixelScale:
    rescale = float(config["rescale_factor"]) if config.get("do_rescale") else 1.0
    if not config.get("do_normalize"):
        return PixelScale(rescale, (0.0,) * CHANNELS, (1.0,) * CHANNELS)
    return PixelScale(rescale, repeat_channels(config["image_mean"]), repeat_channels(config["image_std"]))


def repeat_channels(values: Any) -> tuple[float, ...]:
    """Return a number of each channel, of one for all or one for each."""
    numbers = [float(value) for value in (values if isinstance(values, list | tuple) else [values])]
    return tuple(numbers * CHANNELS)[:CHANNELS]


def _to_size(size: Document) -> Size:
    if size.keys() != {"height", "width"}:
        raise ValueError(size)
    return int(size["height"]), int(size["width"])


def _keep_ratio(image: Image.Image, shortest: int) -> Size:
    """Return the size of an image whose shorter side becomes `shortest`, the other one rounded down."""
    longest = int(shortest * max(image.size) / min(image.size))
    return (longest, shortest) if image.width <= image.height else (shortest, longest)


def crop_center(pixels: Bytes, size: Size) -> Bytes:
    """Return the middle of an image, (3, H, W), black where it is too small."""
    height, width = pixels.shape[1:]
    lacking = (max(0, wanted - had) for wanted, had in zip(size, (height, width), strict=True))
    around = [(0, 0), *((math.ceil(lack / 2), lack // 2) for lack in lacking)]
    padded = np.pad(pixels, around)
    top, left = ((had - wanted) // 2 for had, wanted in zip(padded.shape[1:], size, strict=True))
    return padded[:, top : top + size[0], left : left + size[1]]


def scale_bytes(images: Bytes, scale: PixelScale) -> npt.NDArray[np.float32]:
    """Return images in bytes, (B, 3, H, W), as an encoder reads them, float32."""
    mean, std = (np.array(values, np.float32)[:, None, None] for values in (scale.mean, scale.std))
    return np.asarray((images.astype(np.float32) * np.float32(scale.rescale) - mean) / std)
