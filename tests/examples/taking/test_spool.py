from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.core.errors import EnvironmentFault
from pipeline.examples.taking.spool import Spool


@pytest.mark.parametrize("in_memory", [1, 2**20])
@pytest.mark.parametrize("rows", [0, 3, 2**16])
def test_tables_come_back_in_their_order(tmp_path: Path, rows: int, in_memory: int) -> None:
    tables = [pa.table({"a": pa.array(range(rows)), "b": pa.array(["some words"] * rows)}) for place in range(3)]
    with Spool(tmp_path / "new", in_memory=in_memory) as spool:
        for table in tables:
            spool.add(table)
        assert [*(tmp_path / "new").iterdir()] == []  # the file has no name
        read = [*spool.read()]
    assert pa.concat_tables([*read, tables[0].slice(0, 0)]).equals(pa.concat_tables(tables))


def test_nothing_added_is_nothing_read(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        assert [*spool.read()] == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "out"
    with pytest.raises(EnvironmentFault, match=r"file/out: rows could not be kept there"), Spool(folder):
        pass
