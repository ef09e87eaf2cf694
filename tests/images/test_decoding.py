"""Images out of bytes: what is changed, what is refused, and that nothing else is raised."""

import base64
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.images.decoding import Faulty, make_thumbnail, open_picture, read_picture
from tests.given.images import encode_image, noise

GREY, COLOUR = noise(6, 5), noise(6, 5, 3)
MOST = 10_000


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(open_picture(read_picture(content, max_pixels=MOST).encoded))


def deep(kind: str = "PNG") -> bytes:
    return encode_image(Image.fromarray(np.asarray(GREY).astype(np.uint16) * 257), kind)


def deep_colour() -> bytes:
    """Return a PNG of 16 bits a colour, which the library reads and cannot write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = np.asarray(COLOUR).astype(">u2") * 257
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in rows)
    head = struct.pack(">IIBBBBB", COLOUR.width, COLOUR.height, 16, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(lines)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encode_image(COLOUR, "PNG", exif=exif)


@pytest.mark.parametrize(
    ("content", "changes", "mode"),
    [
        (encode_image(GREY), (), "L"),
        (encode_image(COLOUR), (), "RGB"),
        (encode_image(COLOUR, "JPEG"), (), "RGB"),
        (encode_image(COLOUR, "BMP"), (), "RGB"),
        (encode_image(COLOUR, "WEBP", lossless=True), (), "RGB"),
        (encode_image(COLOUR.convert("RGBA")), ("alpha",), "RGB"),
        (encode_image(GREY.convert("LA")), ("alpha",), "RGB"),
        (encode_image(COLOUR.convert("P")), ("palette",), "RGB"),
        (encode_image(COLOUR.convert("P"), "GIF"), ("palette",), "RGB"),
        (encode_image(COLOUR.convert("P"), "PNG", transparency=0), ("palette", "alpha"), "RGB"),
        (encode_image(GREY.convert("1")), ("palette",), "L"),
        (encode_image(COLOUR.convert("CMYK"), "JPEG"), ("colours",), "RGB"),
        (deep(), ("deep",), "L"),
        (deep("TIFF"), ("deep",), "L"),
        (deep_colour(), ("deep",), "RGB"),
        (turned(6), ("rotated",), "RGB"),
        (turned(1), (), "RGB"),
    ],
)
def test_images_become_grey_or_rgb(content, changes, mode):
    picture = read_picture(content, max_pixels=MOST)
    again = open_picture(picture.encoded)
    assert (picture.changes, again.mode) == (changes, mode)
    assert again.size == (picture.width, picture.height)
    assert (picture.encoded == content) == (not changes and content[:2] != b"BM" and content[:4] != b"RIFF")
    assert read_picture(picture.encoded, max_pixels=MOST).key == picture.key


def as_rgb(content: bytes) -> np.ndarray:
    return np.asarray(open_picture(read_picture(content, max_pixels=MOST).encoded).convert("RGB"))


SAME = [encode_image(GREY), encode_image(COLOUR), encode_image(COLOUR, "JPEG"), encode_image(COLOUR, "WEBP"),
        encode_image(COLOUR.convert("P")), encode_image(COLOUR.convert("P"), "GIF"), encode_image(GREY.convert("1")),
        encode_image(COLOUR.convert("CMYK"), "JPEG"), *map(turned, range(1, 9))]  # fmt: skip


def test_the_library_datasets_decodes_to_the_same_pixels_but_16_bits_and_transparency():
    from datasets import Image as Feature  # seconds

    def theirs(content: bytes) -> np.ndarray:
        return np.asarray(Feature(mode="RGB").decode_example({"bytes": content, "path": None}))

    assert all(np.array_equal(as_rgb(content), theirs(content)) for content in SAME)
    clear = Image.fromarray(np.dstack([np.asarray(COLOUR), np.zeros((6, 5), np.uint8)]))
    assert (as_rgb(encode_image(clear)) == 255).all()
    assert np.array_equal(theirs(encode_image(clear)), np.asarray(COLOUR))  # what nobody sees
    assert np.array_equal(as_rgb(deep())[:, :, 0], np.asarray(GREY))
    assert (theirs(deep())[np.asarray(GREY) > 0] == 255).all()  # cut off at 255
    assert np.array_equal(theirs(read_picture(deep(), max_pixels=MOST).encoded), as_rgb(deep()))


def test_what_a_change_gives():
    colour = np.asarray(COLOUR)
    assert np.array_equal(pixels(turned(6)), np.rot90(colour, -1))
    assert np.array_equal(pixels(deep()), np.asarray(GREY))
    clear = COLOUR.convert("RGBA")
    clear.putalpha(0)
    assert (pixels(encode_image(clear)) == 255).all()


def test_equal_pixels_have_one_key_however_they_are_packed():
    colour = [*(encode_image(COLOUR, kind) for kind in ("PNG", "BMP", "TIFF")), encode_image(COLOUR, compress_level=0)]
    grey = [*(encode_image(GREY.convert(mode)) for mode in ("L", "RGB", "LA", "P")), deep()]
    for contents in (colour, grey):
        assert len({read_picture(content, max_pixels=MOST).key for content in contents}) == 1
    others = [COLOUR.rotate(180), COLOUR.convert("L"), COLOUR.resize((5, 5)), Image.fromarray(np.asarray(COLOUR)[::-1])]
    assert len({read_picture(encode_image(image), max_pixels=MOST).key for image in (COLOUR, *others)}) == 5


ANIMATED = encode_image(GREY, "GIF", save_all=True, append_images=[noise(6, 5, seed=1)])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no image at all", "no image"),
        (b"\x89PNG\r\n\x1a\n", "no image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no image"),
        (encode_image(noise(40, 40, 3))[:-700], "truncated"),
        (encode_image(noise(40, 40, 3), "JPEG")[:-300], "truncated"),
        (ANIMATED, "animated"),
        (encode_image(GREY, "PNG", save_all=True, append_images=[noise(6, 5, seed=1)]), "animated"),
        (encode_image(GREY, "TIFF", save_all=True, append_images=[GREY]), "animated"),
        (encode_image(noise(101, 100)), f"{MOST} pixels"),
        (encode_image(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"), "32 bits"),
    ],
)
def test_images_that_are_refused(content, words):
    with pytest.raises(Faulty, match=words):
        read_picture(content, max_pixels=MOST)


def test_a_bomb_is_refused_by_its_header():
    header = encode_image(noise(1, 1))
    bomb = header[:16] + (60_000).to_bytes(4, "big") * 2 + header[24:]
    with pytest.raises(Faulty):
        read_picture(bomb, max_pixels=MOST)


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"]),
    edits=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=4),
    cut=st.integers(0, 300),
)
def test_damaged_bytes_are_refused_or_read_and_nothing_else(kind, edits, cut):
    content = bytearray(encode_image(COLOUR, kind))
    for place, value in edits:
        content[place % len(content)] = value
    damaged = bytes(content[: len(content) - cut % len(content)])
    try:
        picture = read_picture(damaged, max_pixels=MOST)
    except Faulty:
        return
    assert open_picture(picture.encoded).size == (picture.width, picture.height)


@pytest.mark.parametrize(("image", "kind"), [(noise(6, 5), "png"), (noise(300, 120, 3), "jpeg")])
def test_a_thumbnail_is_a_small_image_without_metadata(image, kind):
    exif = Image.Exif()
    exif[0x010E] = "a secret"
    head, _, body = make_thumbnail(encode_image(image, "PNG", exif=exif)).partition(",")
    assert head == f"data:image/{kind};base64"
    small = Image.open(io.BytesIO(base64.b64decode(body)))
    assert max(small.size) <= 96
    assert not small.getexif()
    assert b"secret" not in base64.b64decode(body)
