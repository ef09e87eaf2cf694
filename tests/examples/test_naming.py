"""Classes that the file names itself: the examples are those of params that name them."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.core.errors import DataError, UsageError
from pipeline.core.files import read_json
from pipeline.core.stage import load_facet, stage_params
from pipeline.core.tables import describe_features, labels_of, read_parquet
from pipeline.examples.naming import adopt_names, stream_named
from pipeline.examples.records import join_records
from pipeline.settings.parse import parse_params
from pipeline.stages.ingest import run
from tests.given.images import SHARES, encode_image, noise
from tests.given.settings import dump, read, resolve_params

TEXTS = ["good", "bad", "fine", "poor", "great", "dull", "nice", "sad"]
IMAGES = [{"bytes": encode_image(noise(9, 8, seed=seed)), "path": None} for seed in range(8)]
NAMES = ["neg", "pos"]
TAGS = ["O", "B-PER", "I-PER", "B-LOC"]


def params_of(kind: str, **ingest: Any) -> Any:
    values, _ = parse_params(read("params.yaml"))
    own = {"file": "rows.parquet", "format": "parquet", **ingest}
    values["tasks"] = {"t": {"kind": kind, "encoder": "raw/minilm", "ingest": own}}
    return stage_params(resolve_params(dump(values), {}), "ingest", "t", None)[0]


def ingest(folder: Path, out: Path, kind: str, **own: Any) -> pa.Table:
    out.mkdir()
    params = params_of(kind, **own)
    run(params, load_facet(kind, "examples"), raw=folder, examples=out / "e.parquet", intake=out / "i.json")
    return read_parquet(out / "e.parquet")


def write(path: Path, labels: list[Any], names: list[str] | None, kind: pa.DataType | None = None) -> None:
    """Write rows with texts, and with the names of their classes as `datasets` writes them."""
    texts = [f"{path.stem} {text}" for text in TEXTS[: len(labels)]]
    table = pa.table({"text": texts, "label": pa.array(labels, kind or pa.int64())})
    features = {"text": {"dtype": "string", "_type": "Value"}, "label": {"names": names, "_type": "ClassLabel"}}
    pq.write_table(table.replace_schema_metadata(describe_features(features) if names else None), path)


@pytest.mark.parametrize(
    ("kind", "columns", "own", "names"),
    [
        ("text-classification", {"text": TEXTS, "label": [0, 1] * 4}, {}, NAMES),
        ("image-classification", {"image": IMAGES, "label": [1, 0] * 4}, {}, NAMES),
        ("multi-label-classification", {"text": TEXTS, "labels": [[0], [1], [1, 0], [0]] * 2}, {}, NAMES),
        (
            "token-classification",
            {"tokens": [["Maria", "López", name] for name in TEXTS], "ner_tags": [[1, 2, 3], [1, 2, 0]] * 4},
            {"words": "tokens", "tags": "ner_tags"},
            TAGS,
        ),
    ],
)
def test_a_file_that_the_library_has_written_names_its_classes(
    tmp_path: Path, kind: str, columns: dict[str, Any], own: dict[str, Any], names: list[str]
) -> None:
    from datasets import ClassLabel, Dataset, Features, Image, List, Value  # seconds

    feature = {"text": Value("string"), "image": Image(), "tokens": List(Value("string"))}
    label = List(ClassLabel(names=names)) if isinstance([*columns.values()][1][0], list) else ClassLabel(names=names)
    features = Features({name: feature.get(name, label) for name in columns})
    Dataset.from_dict(columns, features=features).to_parquet(tmp_path / "rows.parquet")
    named = ingest(tmp_path, tmp_path / "named", kind, **own)
    labels = {str(index): name for index, name in enumerate(names)}
    ingest(tmp_path, tmp_path / "given", kind, **own, labels=labels)
    assert labels_of(named) == labels_of(read_parquet(tmp_path / "given" / "e.parquet"))
    assert {*labels_of(named)} >= {*names}
    for file in ("e.parquet", "i.json"):
        assert (tmp_path / "named" / file).read_bytes() == (tmp_path / "given" / file).read_bytes()
    assert Dataset.from_parquet(str(tmp_path / "named" / "e.parquet"), cache_dir=str(tmp_path)).num_rows == 8


def test_a_negative_index_is_no_label(tmp_path: Path) -> None:
    write(tmp_path / "rows.parquet", [0, -1, 1, 0, None, 1], NAMES)
    with pytest.raises(DataError, match=r"2 row\(s\) without a label"):
        ingest(tmp_path, tmp_path / "a", "text-classification")
    table = ingest(tmp_path, tmp_path / "b", "text-classification", unlabelled="drop")
    assert table["label"].to_pylist() == [0, 1, 0, 1]
    assert read_json(tmp_path / "b" / "i.json")["dropped"]["unlabelled"] == 2


def test_labels_that_are_given_stay(tmp_path: Path) -> None:
    write(tmp_path / "rows.parquet", [0, 1, 0, 1], NAMES)
    params = params_of("text-classification", labels={"1": "up", "0": "down"})
    assert adopt_names(tmp_path / "rows.parquet", params) == params
    records = join_records([*stream_named(tmp_path / "rows.parquet", params)])
    assert records.texts("label") == ["0", "1", "0", "1"]


@pytest.mark.parametrize("files", [None, ["*.parquet"]])
def test_a_file_that_names_no_classes(tmp_path: Path, files: Any) -> None:
    folder = tmp_path / "rows"
    folder.mkdir()
    write(folder / "rows.parquet", [0, 1], None)
    own = {"file": "rows" if files else "rows/rows.parquet", "files": files}
    with pytest.raises(UsageError, match=r"rows\.parquet: column 'label'.*`labels`"):
        ingest(tmp_path, tmp_path / "a", "text-classification", **own)
    write(folder / "rows.parquet", ["0", "1"], NAMES, pa.string())
    with pytest.raises(UsageError, match="column 'label'"):
        ingest(tmp_path, tmp_path / "b", "text-classification", **own)


def test_several_files_name_the_same_classes(tmp_path: Path) -> None:
    own = {"file": "rows", "files": {"train": ["a.parquet"], "test": ["b.parquet"]}, "shares": SHARES}
    (tmp_path / "rows").mkdir()
    write(tmp_path / "rows" / "a.parquet", [0, 1, 0, 1, 0, 1, 0, 1], NAMES)
    write(tmp_path / "rows" / "b.parquet", [0, 1], NAMES)
    assert labels_of(ingest(tmp_path, tmp_path / "out", "text-classification", **own)) == ("neg", "pos")
    write(tmp_path / "rows" / "b.parquet", [0, 1], NAMES[::-1])
    with pytest.raises(DataError, match=r"b\.parquet: .*a\.parquet, found 'pos', 'neg'"):
        ingest(tmp_path, tmp_path / "again", "text-classification", **own)


@pytest.mark.parametrize(
    ("names", "words"), [(["Good", "good"], "case"), (["good"], "two classes"), (["a", "b "], "'b '")]
)
def test_names_that_classes_may_not_have(tmp_path: Path, names: list[str], words: str) -> None:
    write(tmp_path / "rows.parquet", [0, 1], names)
    with pytest.raises(DataError, match=rf"rows\.parquet: column 'label': .*{words}"):
        ingest(tmp_path, tmp_path / "out", "text-classification")


@pytest.mark.parametrize(
    ("kind", "own"),
    [
        ("text-classification", {"format": "jsonl", "file": "rows.jsonl"}),
        ("image-classification", {"format": "files", "file": "rows", "files": ["*/*.png"]}),
        ("multi-label-classification", {"format": "jsonl", "file": "rows.jsonl"}),
        ("token-classification", {"format": "jsonl", "file": "rows.jsonl", "words": "words", "tags": "tags"}),
        ("token-classification", {"text": "text", "spans": "spans"}),
    ],
)
def test_only_parquet_can_name_classes(kind: str, own: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"give .*`labels`"):
        params_of(kind, **own)


@pytest.mark.parametrize("kind", ["text-classification", "image-classification"])
def test_a_favoured_class_must_be_known_before_the_file_is_read(kind: str) -> None:
    values, _ = parse_params(read("params.yaml"))
    task = {"kind": kind, "encoder": "raw/minilm", "ingest": {"file": "rows.parquet", "format": "parquet"}}
    values["tasks"] = {"t": {**task, "calibrate": {"favoured": {"class": "pos", "recall": 0.9}}}}
    with pytest.raises(UsageError, match=r"tasks\.t\.calibrate\.favoured\.class: .*`ingest\.labels`"):
        resolve_params(dump(values), {})
