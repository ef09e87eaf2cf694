"""Images and classes of IDX files, as of MNIST, joined to one Parquet file, the form that `ingest` reads."""

import gzip
import io
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from pipeline.core.errors import DataError
from pipeline.core.tables import IMAGE_TYPE, describe_features, infer_features
from pipeline.settings.fields import Split
from pipeline.settings.sources import IdxFiles

_Bytes = npt.NDArray[np.uint8]

_UNSIGNED_BYTE = 8
_SCHEMA = pa.schema({"image": IMAGE_TYPE, "label": pa.int64(), "split": pa.string()})


def join_idx_splits(splits: Mapping[Split, IdxFiles], paths: Mapping[str, Path], out: Path, *, max_bytes: int) -> None:
    """Write the first rows of each split as PNG images with their class and split; `paths` says where its files are.

    Raises:
        DataError: A file breaks the format or has more than `max_bytes`, the two of a split have other numbers of rows
            or fewer than wanted.
    """
    schema = _SCHEMA.with_metadata(describe_features(infer_features(_SCHEMA, {})))
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        for split, files in splits.items():
            images = read_idx(paths[files.images], files.images, dimensions=3, max_bytes=max_bytes)
            labels = read_idx(paths[files.labels], files.labels, dimensions=1, max_bytes=max_bytes)
            if not files.rows <= len(images) == len(labels):
                raise DataError(
                    f"{files.images}: {len(images)} images, {len(labels)} classes in {files.labels}, and `rows` is "
                    f"{files.rows}. Name files of one split, and at most as many rows."
                )
            cells = [{"bytes": _encode(image), "path": None} for image in images[: files.rows]]
            columns = [cells, labels[: files.rows].astype(np.int64), [split] * files.rows]
            writer.write_batch(
                pa.record_batch([pa.array(*pair) for pair in zip(columns, schema.types, strict=True)], schema=schema)
            )


def read_idx(path: Path, name: str, *, dimensions: int, max_bytes: int) -> _Bytes:
    """Return the unsigned bytes of an IDX file, packed if its name ends in .gz; messages call it `name`.

    Raises:
        DataError: It is damaged, holds other numbers or dimensions, or has more than `max_bytes`.

    Source: LeCun, Cortes and Burges, The MNIST database, "the IDX file format".
    """
    content = _read(path, name, max_bytes)
    start = 4 + 4 * dimensions
    if len(content) < start or content[:4] != bytes((0, 0, _UNSIGNED_BYTE, dimensions)):
        raise DataError(
            f"{name}: not an IDX file of unsigned bytes in {dimensions} dimension(s), it starts with "
            f"{content[:4].hex()}. Name another member."
        )
    shape = np.frombuffer(content, ">u4", count=dimensions, offset=4).astype(object)
    if len(content) - start != np.prod(shape):
        raise DataError(
            f"{name}: {len(content) - start} bytes after its header, which says {' x '.join(map(str, shape))}. It is "
            "not whole: pin another package."
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape([int(size) for size in shape])


def _read(path: Path, name: str, max_bytes: int) -> bytes:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            content = stream.read(max_bytes + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{name}: not a whole gzip file: {error}. Pin another package.") from error
    if len(content) > max_bytes:
        raise DataError(f"{name}: has more than {max_bytes} bytes. Raise `fetch.max_bytes` if that is meant.")
    return content


def _encode(image: _Bytes) -> bytes:
    out = io.BytesIO()
    Image.fromarray(image).save(out, "PNG")
    return out.getvalue()
