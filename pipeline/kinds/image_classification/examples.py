"""Examples of image classification: images out of bytes or files, and the index of their class."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.core.document import Document
from pipeline.examples.faults import Faults
from pipeline.examples.files import NoSuchMember, read_member
from pipeline.examples.intake import Examples, Parsed
from pipeline.examples.labels import list_classes, read_labels
from pipeline.examples.records import Records
from pipeline.images.decoding import CHANGE_TITLES, Faulty, Picture, pack_images, read_picture
from pipeline.kinds.image_classification.settings import ImageIngestParams

_NOTHING = Picture(b"", 0, 0, "", ())
_REMEDIES = {
    "with bytes that are no image": "Remove these rows, or convert the images.",
    "with damaged": "Copy the images again from where they came, or remove these rows.",
    "with animated": "Take one picture of each.",
    "with images of more": "Make the images smaller, or raise `ingest.max_pixels`.",
    "with images of 32": "Convert them to 8 or 16 bits.",
    "with paths": "Put the images below the folder `ingest.file`, and name them by their paths from there.",
    "with links": "Put the images themselves there.",
    "without a file": "Copy the files there, or correct the paths.",
    "with empty": "Copy the files again, or remove these rows.",
    "with files of more": "Make the images smaller, or raise `ingest.max_cell_bytes`.",
}


def _classes(params: ImageIngestParams) -> tuple[str, ...]:
    return list_classes(params.labels, params.threshold)


def _parse(records: Records, params: ImageIngestParams, faults: Faults) -> Parsed:
    labels = list[str]()
    with faults.gather():
        may_lack = params.unlabelled == "drop"
        labels = read_labels(records, params.label, labels=params.labels, threshold=params.threshold, may_lack=may_lack)
    pictures = _read_pictures(records, params, faults)
    empty = {row for row, picture in enumerate(pictures) if picture is _NOTHING}
    values: dict[str, Sequence[Any]] = {
        "image": [picture.encoded for picture in pictures],
        "width": [picture.width for picture in pictures],
        "height": [picture.height for picture in pictures],
    }
    changed = _count_changes(records, pictures)
    keys = [picture.key for picture in pictures]
    return Parsed(values, keys, [label or None for label in labels], empty, changed, params.label)


def _read_pictures(records: Records, params: ImageIngestParams, faults: Faults) -> list[Picture]:
    """Return the image of each row, `_NOTHING` if it has none; gather in `faults` the rows whose image is refused."""
    pictures: list[Picture] = []
    refused: dict[str, list[tuple[int, object]]] = {}
    for row, cell in enumerate(_list_cells(records, params.image)):
        try:
            content = cell if isinstance(cell, bytes) else _read_file(Path(records.file), cell, params)
            pictures.append(read_picture(content, max_pixels=params.max_pixels) if content else _take_nothing(params))
        except Faulty as fault:
            refused.setdefault(str(fault), []).append((row, cell if isinstance(cell, str) and cell else None))
            pictures.append(_NOTHING)
    for what, rows in refused.items():
        with faults.gather():
            raise records.fault(what, rows, _advise(what), column=params.image)
    return pictures


def _take_nothing(params: ImageIngestParams) -> Picture:
    """Return what stands for the image of a row without one.

    Raises:
        Faulty: There may be no such rows.
    """
    if params.empty == "fail":
        raise Faulty("without an image")
    return _NOTHING


def _list_cells(records: Records, column: str) -> Iterator[bytes | str]:
    """Yield the bytes or the path of each row, empty if it has none, one at a time."""
    for chunk in records.columns[column].chunks:
        for cell in chunk:
            value = cell.as_py()
            yield "" if value is None else value if isinstance(value, bytes) else value.strip()


def _read_file(folder: Path, path: str, params: ImageIngestParams) -> bytes:
    """Return the bytes of a file below `folder`, none if `path` is empty.

    Raises:
        Faulty: The path leads elsewhere, or to no file, an empty one or one that is too large.
        EnvironmentFault: The file cannot be read.
    """
    try:
        return read_member(folder, path, max_bytes=params.max_cell_bytes) if path else b""
    except NoSuchMember as error:
        raise Faulty(str(error)) from None


def _advise(what: str) -> str:
    own = next((remedy for start, remedy in _REMEDIES.items() if what.startswith(start)), None)
    return own or "Fill or remove them, or set `empty: drop`."


def _count_changes(records: Records, pictures: Sequence[Picture]) -> Document:
    """Return how many images each change touched, and the lines of the first."""
    changed = {name: [row for row, picture in enumerate(pictures) if name in picture.changes] for name in CHANGE_TITLES}
    return {name: {"rows": len(rows), "lines": records.places_of(rows[:5])} for name, rows in changed.items()}


def _tabulate(
    params: ImageIngestParams, values: Mapping[str, Sequence[Any]], labels: Sequence[str]
) -> dict[str, pa.Array]:
    indices = {name: index for index, name in enumerate(_classes(params))}
    return {
        "image": pack_images(values["image"]),
        "width": pa.array(values["width"], pa.int64()),
        "height": pa.array(values["height"], pa.int64()),
        "label": pa.array([indices[label] for label in labels], pa.int64()),
    }


def _parse_label(params: ImageIngestParams, words: str) -> str | None:
    return words if words in _classes(params) else None


EXAMPLES = Examples(
    classes=_classes,
    parse=_parse,
    tabulate=_tabulate,
    parse_label=_parse_label,
    name_classes=lambda label: (label,),
    indices="label",
)
