"""Examples of images: the layouts that are read, and each fault with its file, line, count and value."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pipeline.core.errors import DataError, UsageError
from pipeline.examples.read import read_records
from pipeline.examples.taking.entry import take_in
from pipeline.images.decoding import open_picture, unpack_images
from pipeline.kinds.image_classification.examples import EXAMPLES
from tests.given.images import encode_image, ingest_params, noise, write_pictures

GOOD = {f"{name}.png": encode_image(noise(9, 8, seed=seed)) for seed, name in enumerate("abcdef")}
ROWS = [(name, ("disc", "square")[place % 2]) for place, name in enumerate(GOOD)]


def take(folder, **ingest):
    params = ingest_params(**ingest)
    return take_in(read_records(folder / params.file, params), params, EXAMPLES)


def test_paths_in_a_table(tmp_path):
    taken = take(write_pictures(tmp_path, GOOD, ROWS))
    assert taken.examples.column_names == ["id", "split", "image", "width", "height", "label", "row", "file"]
    assert [*unpack_images(taken.examples["image"])] == list(GOOD.values())
    assert taken.examples["label"].to_pylist() == [0, 1] * 3
    assert (set(taken.examples["width"].to_pylist()), set(taken.examples["height"].to_pylist())) == ({8}, {9})
    assert taken.counts["kept"] == 6


def test_a_folder_for_each_class_gives_the_same_examples(tmp_path):
    files = {f"{label}/{name}": GOOD[name] for name, label in ROWS}
    other = write_pictures(tmp_path / "a", files, ())
    keys = {"format": "files", "files": ["*/*.png"], "image": "path", "label": "folder"}
    taken, listed = take(other, **keys), take(write_pictures(tmp_path / "b", GOOD, ROWS))
    both = [dict(zip(part.examples["id"].to_pylist(), part.examples["label"].to_pylist(), strict=True))
            for part in (taken, listed)]  # fmt: skip
    assert both[0] == both[1]
    assert taken.examples["file"].to_pylist()[0] == "disc/a.png"


@pytest.mark.parametrize("nested", [True, False])
def test_bytes_in_parquet(tmp_path, nested):
    cells = [{"bytes": each, "path": None} for each in GOOD.values()] if nested else list(GOOD.values())
    table = pa.table({"image": cells, "label": [label for _, label in ROWS]})
    pq.write_table(table, tmp_path / "rows.parquet")
    taken = take(tmp_path, file="rows.parquet", files=None, format="parquet")
    assert [*unpack_images(taken.examples["image"])] == list(GOOD.values())


def test_many_different_images_in_parquet(tmp_path):
    cells = [{"bytes": encode_image(noise(40, 40, 3, seed=seed)), "path": None} for seed in range(300)]
    table = pa.table({"image": cells, "label": ["disc", "square"] * 150})
    pq.write_table(table, tmp_path / "rows.parquet")
    assert take(tmp_path, file="rows.parquet", files=None, format="parquet").counts["kept"] == 300


def test_changes_are_counted_with_their_lines(tmp_path):
    clear = encode_image(noise(9, 8, 3).convert("RGBA"))
    taken = take(write_pictures(tmp_path, {**GOOD, "clear.png": clear}, [*ROWS, ("clear.png", "disc")]))
    assert taken.counts["changed"]["alpha"] == {"rows": 1, "lines": ["rows.csv:8"]}
    assert open_picture(taken.examples["image"][6]["bytes"].as_py()).mode == "RGB"


def test_equal_pixels_are_one_example_or_a_conflict(tmp_path):
    same = {"a.bmp": encode_image(noise(9, 8, seed=0), "BMP"), "b.bmp": encode_image(noise(9, 8, seed=1), "BMP")}
    rows = [*ROWS, ("a.bmp", "disc"), ("b.bmp", "disc")]
    counts = take(write_pictures(tmp_path, {**GOOD, **same}, rows)).counts
    assert (counts["dropped"]["duplicates"], counts["dropped"]["conflicts"], counts["kept"]) == (1, 2, 5)
    with pytest.raises(DataError, match=r"pictures:rows.csv:3: .* 2 row\(s\)"):
        take(tmp_path, conflicts="fail")


FLOATS = encode_image(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF")
ANIMATED = encode_image(noise(5, 5), "GIF", save_all=True, append_images=[noise(5, 5, seed=1)])


@pytest.mark.parametrize(
    ("files", "path", "label", "words"),
    [
        ({}, "../a.png", "disc", r"'\.\./a\.png'"),
        ({}, "/etc/hostname", "disc", "'/etc/hostname'"),
        ({}, "a.png/../b.png", "disc", r"'a\.png/\.\./b\.png'"),
        ({}, "missing.png", "disc", r"'missing\.png'"),
        ({}, "a" * 300, "disc", "without a file"),
        ({"sub/a.png": b"x"}, "sub", "disc", "'sub'"),
        ({"none.png": b""}, "none.png", "disc", r"empty files .*'none\.png'"),
        ({"text.png": b"a text"}, "text.png", "disc", r"no image .*'text\.png'"),
        ({"cut.png": encode_image(noise(40, 40))[:-400]}, "cut.png", "disc", r"truncated .*'cut\.png'"),
        ({"cut.jpg": encode_image(noise(40, 40), "JPEG")[:-400]}, "cut.jpg", "disc", r"truncated .*'cut\.jpg'"),
        ({"moves.gif": ANIMATED}, "moves.gif", "disc", r"animated .*'moves\.gif'"),
        ({"floats.tiff": FLOATS}, "floats.tiff", "disc", r"32 bits .*'floats\.tiff'"),
        ({"large.png": encode_image(noise(60, 60))}, "large.png", "disc", r"2000 pixels .*'large\.png'"),
        ({"heavy.png": bytes(5001)}, "heavy.png", "disc", r"5000 bytes .*'heavy\.png'"),
        ({}, "", "disc", r"1 row\(s\) without an image"),
        ({}, "a.png", "triangle", "'triangle'"),
    ],
)
def test_a_row_with_a_fault_is_named(tmp_path, files, path, label, words):
    folder = write_pictures(tmp_path, {**GOOD, **files}, [*ROWS, (path, label)])
    with pytest.raises(DataError, match=words) as raised:
        take(folder, max_pixels=2000, max_cell_bytes=5000)
    assert "pictures:rows.csv:8: column" in str(raised.value)
    assert "1 row(s)" in str(raised.value)


def test_a_link_is_no_file(tmp_path):
    folder = write_pictures(tmp_path, GOOD, [*ROWS, ("link.png", "disc"), ("links/a.png", "disc")])
    (folder / "pictures/link.png").symlink_to("/etc/hostname")
    (folder / "pictures/links").symlink_to(folder / "pictures")
    with pytest.raises(DataError, match=r"rows\.csv:8: .*2 row\(s\) with links .*'link\.png', 'links/a\.png'"):
        take(folder)


def test_all_faults_are_told_at_once_with_five_examples_each(tmp_path):
    files = {f"bad{at}.png": b"x" for at in range(7)}
    rows = [*ROWS, *((name, "disc") for name in files), ("lost.png", "cube")]
    with pytest.raises(DataError) as raised:
        take(write_pictures(tmp_path, {**GOOD, **files}, rows))
    message = str(raised.value)
    assert "3 kinds of faults" in message
    assert "7 row(s)" in message
    assert "rows.csv:12 and 2 more" in message
    assert "bad4.png" in message
    assert "bad5.png" not in message


def test_rows_without_an_image_may_be_dropped(tmp_path):
    counts = take(write_pictures(tmp_path, GOOD, [*ROWS, ("", "disc")]), empty="drop").counts
    assert (counts["dropped"]["empty"], counts["kept"]) == (1, 6)


@pytest.mark.parametrize("cells", [["a text"], [["a"]], [1]])
def test_a_column_of_parquet_holds_bytes(tmp_path, cells):
    pq.write_table(pa.table({"image": cells, "label": ["disc"]}), tmp_path / "rows.parquet")
    with pytest.raises(DataError, match="'image'"):
        take(tmp_path, file="rows.parquet", files=None, format="parquet")


@pytest.mark.parametrize(
    ("ingest", "words"),
    [
        ({"files": None}, "`file` must be the folder"),
        ({"image": "label"}, "two columns"),
        ({"format": "files", "files": None}, "name them in `files`"),
        ({"max_pixels": 10**9}, "max_pixels"),
        ({"keep": ["image"]}, "a column of the examples"),
    ],
)
def test_params_that_contradict_themselves(ingest, words):
    with pytest.raises(UsageError, match=words):
        ingest_params(**ingest)


def test_a_row_of_files_has_a_path_and_a_folder(tmp_path):
    folder = write_pictures(tmp_path, {f"disc/{name}": content for name, content in GOOD.items()}, ())
    keys = {"format": "files", "files": ["*.png"], "image": "path"}
    with pytest.raises(DataError, match="'label'"):
        take(folder, **keys)
    with pytest.raises(DataError, match=r"no file '\*\.jpg'"):
        take(folder, **{**keys, "label": "folder", "files": ["*.jpg"]})
