"""Feed of image classification: pixels, scaled as the encoder reads them."""

import torch
from transformers import PreTrainedModel

from pipeline.core.errors import DataError
from pipeline.images.pixels import Pixels, take_pixels, to_pixels
from pipeline.images.shaping import CHANNELS, Bytes, scale_bytes
from pipeline.models.batches import ModelInputs, to_device
from pipeline.models.batching import Indices
from pipeline.models.device import Device
from pipeline.models.inference import Feed


def scale_pixels(pixels: Pixels, images: Bytes, device: Device) -> ModelInputs:
    """Return images, (B, 3, H, W), as the argument of a model: `pixel_values`, float32 on the device."""
    return {"pixel_values": to_device(torch.from_numpy(scale_bytes(images, pixels.scale)), device.device)}


def collate_pixels(_: PreTrainedModel, pixels: Pixels, rows: Indices, device: Device) -> ModelInputs:
    """Return some of the images as the argument of a model."""
    return scale_pixels(pixels, take_pixels(pixels, rows), device)


def require_pixels_fit(pixels: Pixels, model: PreTrainedModel) -> None:
    """Refuse images that the model cannot read.

    Raises:
        DataError: It reads other channels or, with an embedding for each patch, another size.
    """
    config, side = model.config, list(pixels.side)
    if getattr(config, "num_channels", CHANNELS) != CHANNELS:
        raise DataError(f"tokens: {CHANNELS} channels, the model reads {config.num_channels}. Choose another encoder.")
    wanted = getattr(config, "image_size", side)
    sides = [wanted, wanted] if isinstance(wanted, int) else list(wanted)
    if hasattr(config, "num_attention_heads") and sides != side:
        raise DataError(
            f"tokens: images of {side[1]} x {side[0]} pixels, the model reads {sides[1]} x {sides[0]}. Set `size` or "
            "`crop_size` in the encoder's preprocessor_config.json to that."
        )


FEED = Feed(
    rows=to_pixels,
    lengths=lambda pixels: pixels.lengths,
    collate=collate_pixels,
    require_fit=require_pixels_fit,
)
