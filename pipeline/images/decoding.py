"""Images out of bytes that may be damaged or hostile: decoded whole, upright, in 8 bits of grey or RGB."""

import base64
import hashlib
import io
import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image, ImageOps

from pipeline.core.tables import IMAGE_TYPE

_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
_KEPT = ("PNG", "JPEG")  # whose bytes are kept if their pixels are as wanted
_ORIENTATION = 0x0112  # the tag of EXIF
_DEEP = ";16"  # in the library's name of how the pixels of a file are packed
_CHANGES = {
    "1": "palette", "P": "palette", "PA": "palette", "CMYK": "colours", "YCbCr": "colours", "LAB": "colours",
    "HSV": "colours", "I;16": "deep", "I;16B": "deep", "I;16L": "deep", "I;16N": "deep",
}  # fmt: skip
# What may be changed of an image, in words after "12 " and after "Share of images ".
CHANGE_TITLES = {
    "rotated": "turned by their EXIF data", "alpha": "with transparency, laid on white",
    "palette": "with a palette or of one bit", "colours": "in CMYK or another space of colours",
    "deep": "of 16 bits, of which 8 are kept",
}  # fmt: skip
# What the library raises for bytes of no valid image, or for one of a form that it does not know.
_DAMAGE = (
    OSError, SyntaxError, ValueError, TypeError, EOFError, KeyError, IndexError, AttributeError, NotImplementedError,
    OverflowError, MemoryError, RuntimeError, struct.error, zlib.error, ZeroDivisionError, Image.DecompressionBombError,
)  # fmt: skip
SMALL = 64  # sides up to which a picture is shown as it is, without loss
_THUMBNAIL = 96


class Faulty(ValueError):
    """An image that cannot be used; the message says why, so that "3 row(s) MESSAGE" reads well."""


class Picture(NamedTuple):
    """An image as the examples hold it: PNG or JPEG, its size, what its pixels are known by, and what was changed."""

    encoded: bytes
    width: int
    height: int
    key: str
    changes: tuple[str, ...]


class Opened(NamedTuple):
    """An image as examples hold it, in memory: grey or RGB of 8 bits, what its pixels are known by, what was changed.

    `format` is that of its bytes.
    """

    image: Image.Image
    key: str
    changes: tuple[str, ...]
    format: str | None


def read_picture(content: bytes, *, max_pixels: int) -> Picture:
    """Return an image whose bytes somebody else wrote, as `decode_picture` does; they become PNG if it was changed.

    Raises:
        Faulty: It is damaged, animated, larger than `max_pixels`, or of a kind that is not read.
    """
    opened = decode_picture(content, max_pixels=max_pixels)
    kept = not opened.changes and opened.format in _KEPT
    encoded = content if kept else encode_png(opened.image)
    return Picture(encoded, *opened.image.size, opened.key, opened.changes)


def decode_picture(content: bytes, *, max_pixels: int) -> Opened:
    """Return an image whose bytes somebody else wrote; its key is equal for equal colours, however they are packed.

    A transparent image is laid on white, one of 16 bits keeps the upper 8, and one that its EXIF data turns is turned.

    Raises:
        Faulty: It is damaged, animated, larger than `max_pixels`, or of a kind that is not read.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the library, about metadata and large images
        try:
            opened = Image.open(io.BytesIO(content), formats=_FORMATS)
        except Image.DecompressionBombError:
            raise Faulty(_describe_large(max_pixels)) from None
        except _DAMAGE:
            raise Faulty(f"with bytes that are no image ({', '.join(_FORMATS)})") from None
        if opened.width * opened.height > max_pixels:
            raise Faulty(_describe_large(max_pixels))
        try:
            return _normalise(opened)
        except Faulty:
            raise
        except _DAMAGE:
            raise Faulty("with damaged or truncated images") from None


def _describe_large(max_pixels: int) -> str:
    return f"with images of more than {max_pixels} pixels"


def _normalise(opened: Image.Image) -> Opened:
    if opened.format != "MPO" and getattr(opened, "n_frames", 1) > 1:
        raise Faulty("with animated images, or several in one file")
    changes = ["deep"] if any(_DEEP in str(tile[3]) for tile in getattr(opened, "tile", ())) else []
    opened.load()
    changes += ["rotated"] if opened.getexif().get(_ORIENTATION, 1) not in (0, 1) else []
    upright = ImageOps.exif_transpose(opened)
    image, more = _convert(upright)
    changes += [change for change in more if change not in changes]
    return Opened(image, _identify(image), tuple(changes), opened.format)


def _identify(image: Image.Image) -> str:
    """Return what images of equal colours share: one in RGB without any is known by its grey."""
    red, *others = image.split()
    plain = red if all(band.tobytes() == red.tobytes() for band in others) else image
    return f"{plain.mode} {plain.width} {hashlib.sha256(plain.tobytes()).hexdigest()}"


def _convert(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """Return an image in grey or RGB, and what was changed for it."""
    changes = [_CHANGES[image.mode]] if image.mode in _CHANGES else []
    if image.mode in ("LA", "RGBA", "PA", "La", "RGBa") or "transparency" in image.info:
        opaque = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, opaque).convert("RGB"), [*changes, "alpha"]
    if image.mode in ("L", "RGB"):
        return image, changes
    if image.mode == "1":
        return image.convert("L"), changes
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)), changes
    if image.mode not in _CHANGES:
        raise Faulty("with images of 32 bits a colour, which are not read")
    return image.convert("RGB"), changes


def encode_png(image: Image.Image) -> bytes:
    """Return an image as PNG, without any metadata."""
    out = io.BytesIO()
    Image.fromarray(np.asarray(image)).save(out, "PNG")
    return out.getvalue()


def pack_images(images: Sequence[bytes]) -> pa.ChunkedArray:
    """Return the bytes of images as a column, (N,), that the library `datasets` opens as one of images."""
    encoded = pa.array(images, pa.binary())
    chunks = encoded.chunks if isinstance(encoded, pa.ChunkedArray) else [encoded]  # from 2 GiB on they are several
    structs = [pa.StructArray.from_arrays([chunk, pa.nulls(len(chunk), pa.string())], ["bytes", "path"])
               for chunk in chunks]  # fmt: skip
    return pa.chunked_array(structs, IMAGE_TYPE)


def unpack_images(column: pa.ChunkedArray | pa.Array) -> Iterator[bytes]:
    """Yield the bytes of the images in a column of `pack_images`, one at a time."""
    return (image.as_py() for image in pc.struct_field(column, "bytes"))


def open_picture(encoded: bytes) -> Image.Image:
    """Return the image of an example, whose bytes `read_picture` has checked."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = Image.open(io.BytesIO(encoded), formats=_KEPT)
        image.load()
    return image


def make_thumbnail(encoded: bytes) -> str:
    """Return a small copy of an example's image as a data URI: PNG if it is tiny, else JPEG."""
    image = open_picture(encoded)
    image.thumbnail((_THUMBNAIL, _THUMBNAIL))
    out = io.BytesIO()
    kind = "PNG" if max(image.size) <= SMALL else "JPEG"
    Image.fromarray(np.asarray(image)).save(out, kind)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(out.getvalue()).decode('ascii')}"
