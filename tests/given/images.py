"""What the tests of images start from: tiny encoders with random weights, and images as bytes."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.core.stage import stage_params
from pipeline.pretrain.random_encoder import draw_encoder
from pipeline.settings.parse import parse_params
from pipeline.settings.sources import RandomSource
from tests.given.settings import dump, read, resolve_params

SIDE = 16
SHARES = {"train": 0.5, "validation": 0.25, "test": 0.25}
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


def ingest_params(**ingest: Any) -> Any:
    """Return the params of `ingest` for images in a folder `pictures`, named by the table rows.csv in it."""
    values, _ = parse_params(read("params.yaml"))
    own = {
        **{"file": "pictures", "files": ["rows.csv"], "labels": ["disc", "square"], "shares": SHARES},
        **ingest,
    }
    values["tasks"] = {"t": {"kind": "image-classification", "encoder": "raw/tiny", "ingest": own}}
    values["sources"] = {"tiny": random_source().model_dump(exclude={"source", "timeout", "max_bytes"})}
    resolved = resolve_params(dump(values), {})
    return stage_params(resolved, "ingest", "t", None)[0]


def write_pictures(folder: Path, files: Mapping[str, bytes], rows: Sequence[tuple[str, str]]) -> Path:
    """Write images, and a table with the path and the class of each; return the folder that holds `pictures`."""
    for name, content in {**files, "rows.csv": b""}.items():
        path = folder / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    lines = ["image,label", *(f"{path},{label}" for path, label in rows)]
    (folder / "pictures/rows.csv").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return folder
