"""Inputs of image classification: the pixels of one image in bytes, all of one size, and the index of its class."""

import json
from itertools import chain
from pathlib import Path

import pyarrow as pa
from PIL import Image

from pipeline.core.errors import EnvironmentFault
from pipeline.core.tables import description, labels_of, stream_parquet, task_of
from pipeline.images.decoding import open_picture, unpack_images
from pipeline.images.processor import describe_processor, load_processor, read_scale, shape_images
from pipeline.images.shaping import Bytes
from pipeline.models.coverage import Coverage
from pipeline.models.inputs import Encoded, Inputs, skip_coverage
from pipeline.settings.task import TaskParams

_BATCH_IMAGES = 256  # decoded at a time
_RECORD_BYTES = 2**25  # of a record batch at most


def _encode(_params: TaskParams, examples: Path, encoder: Path) -> Encoded:
    """Resize and crop every image as the encoder's processor does; memory does not grow with them."""
    processor = load_processor(encoder)
    schema, rows = stream_parquet(examples, ("id", "split", "label", "image"), rows=_BATCH_IMAGES)
    first = next(rows)
    (shape,) = shape_images(processor, _open_all(first.slice(0, 1)))
    (*_, height, width), size = shape.shape, shape.size

    def encode_batch(batch: pa.RecordBatch) -> tuple[pa.RecordBatch, Coverage]:
        pixels = shape_images(processor, _open_all(batch))
        require_one_size(pixels, (height, width), encoder)
        return _to_batch(batch, pixels, size), Coverage()

    columns = {"id": pa.string(), "split": pa.string(), "labels": pa.int64(), "pixels": pa.binary(size)}
    metadata = {
        **description(task_of(schema), labels_of(schema)),
        "size": json.dumps([height, width]),
        "scale": json.dumps(read_scale(processor)._asdict()),
        "processor": describe_processor(processor),
    }
    schema, most = pa.schema(columns.items(), metadata), max(1, _RECORD_BYTES // size)
    return Encoded(schema, most, chain([first], rows), _BATCH_IMAGES, encode_batch, skip_coverage)


def require_one_size(pixels: Bytes, size: tuple[int, int], encoder: Path) -> None:
    """Refuse images, (N, C, H, W), of another height and width than those before them.

    Raises:
        EnvironmentFault: The processor leaves images of several sizes.
    """
    if pixels.shape[2:] != size:
        raise EnvironmentFault(
            f"{encoder}: its processor leaves images of several sizes, {size} and {pixels.shape[2:]}. "
            "Give it a fixed `size` or a `crop_size`."
        )


def _open_all(batch: pa.RecordBatch) -> list[Image.Image]:
    return [*map(open_picture, unpack_images(batch["image"]))]


def _to_batch(batch: pa.RecordBatch, pixels: Bytes, size: int) -> pa.RecordBatch:
    values = pa.FixedSizeBinaryArray.from_buffers(pa.binary(size), len(pixels), [None, pa.py_buffer(pixels.tobytes())])
    return pa.record_batch([batch["id"], batch["split"], batch["label"], values], ["id", "split", "labels", "pixels"])


def _summarize(table: pa.Table) -> str:
    height, width = json.loads(table.schema.metadata[b"size"])
    return f"{table.num_rows} images of {width} x {height} pixels"


INPUTS = Inputs(encode=_encode, summarize=_summarize)
