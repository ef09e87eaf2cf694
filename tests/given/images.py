"""What the tests of images start from: tiny encoders with random weights, and images as bytes."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.models.random_encoder import draw_encoder
from pipeline.settings.sources import RandomSource

SIDE = 16
PROCESSOR = {"image_processor_type": "ViTImageProcessor", "size": {"height": SIDE, "width": SIDE}}
SHAPES: dict[str, dict[str, Any]] = {
    "vit": {
        "image_size": SIDE, "patch_size": 4, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 32,
    },
    "resnet": {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"},
    "convnext": {"patch_size": 2, "num_stages": 2, "hidden_sizes": [8, 16], "depths": [1, 1]},
}  # fmt: skip


def random_source(shape: str = "vit", **changes: Any) -> RandomSource:
    """Return a source of an encoder of one of `SHAPES`."""
    values = {
        **{"source": "tiny", "kind": "random", "timeout": 5, "max_bytes": 10**6, "seed": 0, "processor": PROCESSOR},
        "config": {"model_type": shape, **SHAPES[shape]},
        **changes,
    }
    return RandomSource.model_validate(values)


def make_image_encoder(folder: Path, shape: str = "vit") -> Path:
    """Write an encoder of one of `SHAPES` with random weights."""
    folder.mkdir(parents=True)
    draw_encoder(random_source(shape), folder, folder)
    return folder


def encode_image(image: Image.Image, kind: str = "PNG", **keys: Any) -> bytes:
    """Return an image in a format."""
    out = io.BytesIO()
    image.save(out, kind, **keys)
    return out.getvalue()


def noise(*shape: int, seed: int = 0) -> Image.Image:
    """Return an image of random pixels, (H, W) in grey or (H, W, 3)."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8))
