"""`join`: the rows of all files in order, each with its split, readable by `datasets` without the network."""

import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import DataError
from pipeline.core.tables import describe_features, name_indices
from pipeline.settings.fields import SPLITS, Split
from pipeline.sources.dataset import join_splits


def write(path: Path, **columns: list[object]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


@given(st.lists(st.tuples(st.sampled_from(SPLITS), st.lists(st.text(max_size=5), max_size=4)), min_size=1, max_size=4))
def test_rows_in_order_with_their_split(parts: list[tuple[Split, list[str]]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        splits: dict[Split, list[Path]] = {}
        for index, (split, texts) in enumerate(parts):
            table = pa.table({"text": pa.array(texts, pa.string())})
            pq.write_table(table, Path(name) / f"{index}.parquet")
            splits.setdefault(split, []).append(Path(name) / f"{index}.parquet")
        for out in ("once", "twice"):
            join_splits(splits, Path(name) / out)
        expected = [
            {"text": text, "split": split}
            for split in splits
            for found, texts in parts
            if found == split
            for text in texts
        ]
        assert pq.read_table(Path(name) / "once").to_pylist() == expected
        assert (Path(name) / "once").read_bytes() == (Path(name) / "twice").read_bytes()


def write_named(path: Path, names: list[str]) -> Path:
    features = {"label": {"names": names, "_type": "ClassLabel"}, "gone": {"dtype": "string", "_type": "Value"}}
    table = pa.table({"text": ["x", "y"], "label": pa.array([1, 0], pa.int64())})
    pq.write_table(table.replace_schema_metadata({**describe_features(features), "pandas": "{}"}), path)
    return path


def test_names_of_classes_are_kept(tmp_path: Path) -> None:
    from datasets import ClassLabel, Dataset, Value  # seconds

    first, second = (write_named(tmp_path / f"{name}.parquet", ["no", "yes"]) for name in "ab")
    join_splits({"train": [first], "test": [second]}, tmp_path / "out")
    assert list(pq.read_schema(tmp_path / "out").metadata) == [b"huggingface"]
    opened = Dataset.from_parquet(str(tmp_path / "out"), cache_dir=str(tmp_path))
    text = Value("string")
    assert opened.features == {"text": text, "label": ClassLabel(names=["no", "yes"]), "split": text}
    join_splits({"train": [first]}, tmp_path / "card", {"label": {"names": ["n", "y"], "_type": "ClassLabel"}})
    assert name_indices(pq.read_schema(tmp_path / "card"), "label") == ("n", "y")


def test_other_names_of_classes(tmp_path: Path) -> None:
    first, second = (
        write_named(tmp_path / f"{name}.parquet", names) for name, names in (("a", ["x", "y"]), ("b", ["y", "x"]))
    )
    with pytest.raises(DataError, match=r"b\.parquet: column 'label': .*a\.parquet, found 'y', 'x'"):
        join_splits({"train": [first], "test": [second]}, tmp_path / "out")
    plain = pq.read_table(second).replace_schema_metadata(None)
    pq.write_table(plain, second)
    join_splits({"train": [first], "test": [second]}, tmp_path / "out")
    assert name_indices(pq.read_schema(tmp_path / "out"), "label") == ("x", "y")


def test_a_column_named_split(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", text=["x"], split=["train"])
    with pytest.raises(DataError, match=r"a\.parquet has a column 'split'"):
        join_splits({"train": [path]}, tmp_path / "out")


def test_other_columns(tmp_path: Path) -> None:
    same = {"id": [1], "kind": ["y"]}
    first = write(tmp_path / "a.parquet", **same, text=["x"])
    second = write(tmp_path / "b.parquet", **same, **{"words" * 100: ["x"]})
    with pytest.raises(DataError, match=r"b\.parquet: .*a\.parquet, found 'wordswords.*'text: string'") as caught:
        join_splits({"train": [first], "test": [second]}, tmp_path / "out")
    assert len(str(caught.value)) < 250
    assert "kind" not in str(caught.value)


def test_columns_in_another_order(tmp_path: Path) -> None:
    first = write(tmp_path / "a.parquet", text=["x"], kind=["y"])
    second = write(tmp_path / "b.parquet", kind=["y"], text=["x"])
    with pytest.raises(DataError, match=r"b\.parquet: .*order"):
        join_splits({"train": [first, second]}, tmp_path / "out")


def test_not_parquet(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text("text,label\n")
    with pytest.raises(DataError, match=r"a\.parquet is not a Parquet file"):
        join_splits({"train": [tmp_path / "a.parquet"]}, tmp_path / "out")


def test_a_damaged_page(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", text=[f"text {index}" for index in range(1000)])
    content = bytearray(path.read_bytes())
    content[8:400] = bytes(392)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.parquet is damaged"):
        join_splits({"train": [path]}, tmp_path / "out")
