"""Rows of images for a model: what it reads of an image, how they make a batch, and images that nobody has taken."""

import base64
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from PIL import Image

from pipeline.core.document import Document
from pipeline.core.errors import REPRODUCE, EnvironmentFault
from pipeline.images.decoding import Faulty, Opened, decode_picture, encode_png
from pipeline.images.pixels import to_pixels
from pipeline.images.shaping import CHANNELS, PROCESSOR_FILE, Bytes, PixelScale, Size, read_shaping, scale_bytes
from pipeline.predict.bundle import Probe
from pipeline.predict.logits import Arrays, ModelRows
from pipeline.predict.questions import Prepared, Unanswerable

MAX_PIXELS = 50_000_000  # of an image that is asked about, before it is decoded; as `ingest` has it by default
PATCH = 16  # pixels: the side of what counts as one token, as ViT has it

_PROBED_TOKENS = 12_800  # of all images of a probe, so that it takes a second as that of texts does
_LEAST_PROBED = 10
_PROBED_SIDES = 8, 49  # pixels: noise of few becomes colours that run into each other once it is resized


@dataclass(frozen=True, slots=True)
class ImageRow:
    """An image as a model reads it, in bytes, (3, H, W); its length is the number of patches."""

    pixels: Bytes

    def __len__(self) -> int:
        """Return what the image costs, in tokens."""
        height, width = self.pixels.shape[1:]
        patches: int = math.ceil(height * width / PATCH**2)
        return patches

    @property
    def nbytes(self) -> int:
        """The bytes that the image takes in memory."""
        return self.pixels.nbytes


class ImageReader(NamedTuple):
    """What makes the row of an image: resized and cropped to the size of all, then scaled."""

    shape: Callable[[Image.Image], Bytes]
    scale: PixelScale
    size: Size


def open_reader(folder: Path, _max_length: int = 0) -> ImageReader:
    """Return what reads images for the model in a folder by its library, or for a bundle without it.

    Raises:
        EnvironmentFault: A file is missing or damaged, or a bundle cannot read as it says.
    """
    if (folder / "config.json").is_file():
        # transformers, of use for model folders alone
        from pipeline.images.processor import load_processor, read_scale, shape_images  # noqa: PLC0415

        processor = load_processor(folder)
        shape: Callable[[Image.Image], Bytes] = lambda image: np.asarray(shape_images(processor, [image])[0])  # noqa: E731
        scale = read_scale(processor)
    else:
        shaping, scale = read_shaping(folder)
        shape = shaping.apply
    height, width = shape(_draw_black()).shape[1:]
    return ImageReader(shape, scale, (height, width))


def measure_row(folder: Path) -> int:
    """Return the length of the row of an image."""
    reader = open_reader(folder)
    return len(fit_image(reader, 0, sample_image(0)))


def read_image(cells: Sequence[Any]) -> Opened:
    """Return the image that the cell of a row holds the bytes of.

    Raises:
        Unanswerable: There is none, or one that `ingest` would refuse.
    """
    (content,) = cells
    if not content:
        raise Unanswerable("without an image")
    try:
        return decode_picture(content, max_pixels=MAX_PIXELS)
    except Faulty as fault:
        raise Unanswerable(str(fault)) from None


def fit_image(reader: ImageReader, _max_length: int, opened: Opened) -> ImageRow:
    """Return what the model reads of an image.

    Raises:
        Unanswerable: It is of another size than the others once it is resized.
    """
    row = ImageRow(reader.shape(opened.image))
    if row.pixels.shape[1:] != reader.size:
        height, width = row.pixels.shape[1:]
        raise Unanswerable(f"with sides that the model cannot read, {width} x {height} pixels once resized")
    return row


def prepare_images(_reader: ImageReader, _max_length: int, rows: Sequence[ImageRow]) -> Prepared:
    """Return images that have been fit, a row each."""
    return Prepared(rows, [*rows], range(len(rows)), ())


def collate_images(reader: ImageReader, rows: ModelRows) -> Arrays:
    """Return a batch of images, `pixel_values` (B, 3, H, W) float32."""
    return {"pixel_values": scale_bytes(np.stack([row.pixels for row in rows]), reader.scale)}


def list_stored_images(inputs: pa.Table) -> ModelRows:
    """Return the rows of a table of inputs, whose bytes are not copied."""
    return [ImageRow(image) for chunk in to_pixels(inputs).chunks for image in chunk]


def sample_image(_length: int) -> Opened:
    """Return a black image."""
    return Opened(_draw_black(), "", (), None)


def draw_probe(rows: ModelRows) -> Document:
    """Return noise of several sizes in place of the images of some rows, as PNG in base64; fewer of large images."""
    count = min(len(rows), max(_LEAST_PROBED, _PROBED_TOKENS // max(map(len, rows), default=1)))
    rng, drawn = np.random.default_rng(0), []
    for _ in range(count):
        height, width = rng.integers(*_PROBED_SIDES, size=2)
        low, high = np.sort(rng.integers(0, 257, size=2))
        noise = rng.integers(low, max(low + 1, high), size=(height, width, CHANNELS))
        drawn.append(base64.b64encode(encode_png(Image.fromarray(noise.astype(np.uint8)))).decode("ascii"))
    return {"images": drawn}


def restore_probe(reader: ImageReader, probe: Probe) -> ModelRows:
    """Return the rows of the images of a probe.

    Raises:
        EnvironmentFault: They do not get one size.
    """
    try:
        return [fit_image(reader, 0, read_image([base64.b64decode(image)])) for image in probe.images or ()]
    except Unanswerable as error:
        raise EnvironmentFault(
            f"{PROCESSOR_FILE}: leaves images of several sizes, found one {error}. Give it a fixed `size` or a "
            f"`crop_size`. {REPRODUCE}"
        ) from None


def _draw_black() -> Image.Image:
    return Image.new("RGB", (2 * PATCH, 2 * PATCH))
