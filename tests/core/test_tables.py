import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import EnvironmentFault
from pipeline.core.tables import (
    IMAGE_TYPE,
    describe,
    describe_features,
    features_of,
    infer_features,
    labels_of,
    name_indices,
    read_arrow,
    read_parquet,
    regroup,
    stream_arrow,
    stream_parquet,
    task_of,
    write_arrow,
    write_parquet,
)

TABLE = describe(
    pa.table({"id": ["a", "b"], "input_ids": pa.array([[1, 2], []], pa.list_(pa.int32()))}),
    task="t",
    labels=("ü", "no"),
)


def write_arrow_table(path, table):
    write_arrow(path, table.schema, table.to_batches())


@pytest.mark.parametrize(("write", "read"), [(write_parquet, read_parquet), (write_arrow_table, read_arrow)])
def test_content_and_description_come_back_and_the_bytes_repeat(tmp_path, write, read):
    write(tmp_path / "one", TABLE)
    write(tmp_path / "two", TABLE)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    found = read(tmp_path / "one")
    assert found.equals(TABLE)
    assert labels_of(found) == ("ü", "no")
    assert task_of(found) == "t"


@pytest.mark.parametrize("read", [read_parquet, read_arrow, stream_arrow])
@pytest.mark.parametrize("content", [None, b"", b"not a table"])
def test_a_missing_or_damaged_file_is_an_environment_fault(tmp_path, read, content):
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EnvironmentFault, match=r"/file: .*`dvc repro`"):
        read(path)


@pytest.mark.parametrize("rows", [1, 2, 3, 100])
def test_a_stream_gives_the_rows_in_order_and_the_description(tmp_path, rows):
    table = describe(pa.table({"a": list("abcdefg"), "b": range(7)}), task="t", labels=("x",))
    write_parquet(tmp_path / "p", table)
    schema, batches = stream_parquet(tmp_path / "p", ("b",), rows=rows)
    found = list(batches)
    assert labels_of(schema) == ("x",)
    assert max(batch.num_rows for batch in found) <= rows
    assert pa.Table.from_batches(found).to_pydict() == {"b": list(range(7))}


def test_a_damaged_part_of_a_stream_is_an_environment_fault(tmp_path):
    write_parquet(tmp_path / "p", pa.table({"a": [f"{i * 7919 % 100003}" for i in range(50_000)]}))
    content = bytearray((tmp_path / "p").read_bytes())
    content[1000:3000] = bytes(2000)
    (tmp_path / "p").write_bytes(content)
    _, batches = stream_parquet(tmp_path / "p", ("a",), rows=100)
    with pytest.raises(EnvironmentFault, match=r"/p: .*`dvc repro`"):
        list(batches)
    with pytest.raises(EnvironmentFault, match=r"/none: .*`dvc repro`"):
        stream_parquet(tmp_path / "none", ("a",), rows=100)


@given(st.lists(st.integers(0, 9), max_size=9), st.integers(1, 12))
def test_regrouped_rows_do_not_tell_how_they_came(sizes, rows):
    whole = pa.record_batch({"a": range(sum(sizes))})
    starts = [sum(sizes[:place]) for place in range(len(sizes))]
    found = list(regroup((whole.slice(start, size) for start, size in zip(starts, sizes, strict=True)), rows))
    assert [batch.num_rows for batch in found[:-1]] == [rows] * len(found[:-1])
    assert all(0 < batch.num_rows <= rows for batch in found)
    assert [value for batch in found for value in batch["a"].to_pylist()] == list(range(sum(sizes)))


# ------------------------------------------------------------------------------------------------ features
NAMES = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1, max_size=4, unique=True)
PLAIN = (
    pa.string(), pa.large_string(), pa.int32(), pa.int64(), pa.uint8(), pa.float16(), pa.float32(), pa.float64(),
    pa.bool_(), pa.binary(), pa.timestamp("us"), pa.null(), IMAGE_TYPE,
)  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(PLAIN), st.integers(0, 2)), max_size=6), st.integers(0, 2), NAMES)
def test_features_are_those_of_the_library_byte_for_byte(columns, depth, names):
    from datasets import ClassLabel, Features  # seconds

    def nest(kind, times):
        return kind if not times else pa.list_(nest(kind, times - 1))

    kinds = {f"c{place}": nest(kind, times) for place, (kind, times) in enumerate(columns)}
    schema = pa.schema({**kinds, "label": nest(pa.int64(), depth)})
    metadata = describe_features(infer_features(schema, {"label": names}))
    opened = Features.from_arrow_schema(schema.with_metadata(metadata))
    inner = opened["label"]
    for _ in range(depth):
        inner = inner.feature
    assert inner == ClassLabel(names=names)
    assert opened.arrow_schema.metadata == {key.encode(): text.encode() for key, text in metadata.items()}
    assert opened.arrow_schema.equals(schema)
    assert features_of(schema.with_metadata(metadata)) == opened.to_dict()
    assert name_indices(schema.with_metadata(metadata), "label") == (tuple(names) if depth < 2 else ())


@pytest.mark.parametrize(
    ("feature", "kind", "names"),
    [
        ({"num_classes": 2, "names": ["a", "b"], "id": None, "_type": "ClassLabel"}, pa.int64(), ("a", "b")),
        ({"feature": {"names": ["a"], "_type": "ClassLabel"}, "_type": "Sequence"}, pa.list_(pa.int64()), ("a",)),
        ([{"names": ["a"], "_type": "ClassLabel"}], pa.large_list(pa.int64()), ("a",)),
        ({"names": ["a"], "_type": "ClassLabel"}, pa.string(), ()),
        ({"names": ["a"], "_type": "ClassLabel"}, pa.list_(pa.int64()), ()),
        ({"names": "ab", "_type": "ClassLabel"}, pa.int64(), ()),
        ({"dtype": "int64", "_type": "Value"}, pa.int64(), ()),
        ([], pa.list_(pa.int64()), ()),
        ("label", pa.int64(), ()),
        (None, pa.int64(), ()),
    ],
)
def test_names_of_indices_that_somebody_else_has_written(feature, kind, names):
    schema = pa.schema({"label": kind}, metadata=describe_features({"label": feature}))
    assert name_indices(schema, "label") == names
    assert name_indices(schema, "other") == ()


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"info": null}', b'{"info": {"features": [1]}}', b"[" * 10**5])
def test_metadata_that_hold_no_features(text):
    assert features_of(pa.schema({"label": pa.int64()}, metadata={b"huggingface": text})) == {}
    assert features_of(pa.schema({"label": pa.int64()})) == {}


def test_of_an_arrow_file_some_columns_of_some_batches_are_read(tmp_path):
    table = describe(pa.table({"a": list("abcdefg"), "b": range(7), "c": list("tuvwxyz")}), task="t", labels=("x",))
    write_arrow(tmp_path / "file", table.schema, table.to_batches(max_chunksize=3))
    schema, batches = stream_arrow(tmp_path / "file")
    assert (schema.names, task_of(schema)) == (["a", "b", "c"], "t")
    assert pa.Table.from_batches(batches).equals(table)
    schema, batches = stream_arrow(tmp_path / "file", ("b", "a"), [0, 2])
    assert [batch.to_pydict() for batch in batches] == [{"a": list("abc"), "b": [0, 1, 2]}, {"a": ["g"], "b": [6]}]
    content = bytearray((tmp_path / "file").read_bytes())
    _, batches = stream_arrow(tmp_path / "file")
    (tmp_path / "file").write_bytes(content[:400])
    with pytest.raises(EnvironmentFault, match=r"/file: could not be read.*`dvc repro`"):
        list(batches)
