import pyarrow as pa
import pytest

from pipeline.errors import EnvironmentFault
from pipeline.tables import described, labels_of, read_arrow, read_parquet, task_of, write_arrow, write_parquet

TABLE = described(
    pa.table({"id": ["a", "b"], "input_ids": pa.array([[1, 2], []], pa.list_(pa.int32()))}),
    task="t",
    labels=("ü", "no"),
)


@pytest.mark.parametrize(("write", "read"), [(write_parquet, read_parquet), (write_arrow, read_arrow)])
def test_content_and_description_come_back_and_the_bytes_repeat(tmp_path, write, read):
    write(tmp_path / "one", TABLE)
    write(tmp_path / "two", TABLE)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    found = read(tmp_path / "one")
    assert found.equals(TABLE)
    assert labels_of(found) == ("ü", "no")
    assert task_of(found) == "t"


@pytest.mark.parametrize("read", [read_parquet, read_arrow])
@pytest.mark.parametrize("content", [None, b"", b"not a table"])
def test_a_missing_or_damaged_file_is_an_environment_fault(tmp_path, read, content):
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EnvironmentFault, match="could not be read"):
        read(path)
