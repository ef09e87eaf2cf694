from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import DataError, EnvironmentFault
from pipeline.core.tables import describe, write_arrow
from pipeline.linear.vectors import VectorFile

ROWS, WIDTH = 40, 3
VECTORS = np.arange(ROWS * WIDTH, dtype=np.float32).reshape(ROWS, WIDTH)


def examples_at(positions: list[int], task: str = "toy") -> pa.Table:
    return describe(pa.table({"id": [f"id{at}" for at in positions]}), task=task, labels=("ham", "spam"))


def write_features(path: Path, *, rows: int) -> Path:
    """Write the vectors of all examples, `rows` of them in each record batch, beside a column that nobody asks for."""
    columns = {
        "id": [f"id{at}" for at in range(ROWS)],
        "split": ["train"] * ROWS,
        "features": pa.FixedSizeListArray.from_arrays(VECTORS.ravel(), WIDTH),
    }
    table = describe(pa.table(columns), task="toy", labels=("ham", "spam"))
    write_arrow(path, table.schema, table.to_batches(max_chunksize=rows))
    return path


@pytest.fixture(scope="module", params=[1, 7, ROWS])
def features(request, tmp_path_factory):
    return VectorFile(write_features(tmp_path_factory.mktemp("features") / "toy.arrow", rows=request.param))


@given(st.sets(st.integers(0, ROWS - 1), min_size=1).map(sorted))
def test_the_vectors_are_those_of_the_rows(features, positions):
    own = features.read(examples_at(positions), np.array(positions), total=ROWS)
    assert own.dtype == np.float32
    assert own.tolist() == VECTORS[positions].tolist()


@pytest.mark.parametrize(
    ("positions", "total", "task", "message"),
    [
        ([0, 2], ROWS, "toy", "not of these examples in their order, 1 ids differ: 'id2'"),
        ([0, 1], ROWS + 1, "toy", f"{ROWS} rows for {ROWS + 1}"),
        ([0, 1], ROWS, "other", "task toy, in the examples other"),
    ],
)
def test_features_of_other_examples_are_refused(features, positions, total, task, message):
    with pytest.raises(DataError, match=f"features: .*{message}.*dvc repro"):
        features.read(examples_at([0, 1], task), np.array(positions), total=total)


def test_a_damaged_file_is_named(tmp_path):
    path = write_features(tmp_path / "toy.arrow", rows=7)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(EnvironmentFault, match=r"toy\.arrow: could not be read.*dvc repro"):
        VectorFile(path)
    with pytest.raises(EnvironmentFault, match=r"none\.arrow: could not be read"):
        VectorFile(tmp_path / "none.arrow")


def test_what_is_read_is_no_more_than_what_is_asked_for(tmp_path):
    def count_read() -> int:
        return int(Path("/proc/self/io").read_text().split()[1])

    path = tmp_path / "wide.arrow"
    vectors = pa.FixedSizeListArray.from_arrays(np.zeros(2**20, np.float32), 2**14)
    table = describe(
        pa.table({"id": [str(at) for at in range(64)], "features": vectors}), task="toy", labels=("a", "b")
    )
    write_arrow(path, table.schema, table.to_batches(max_chunksize=8))
    before = count_read()
    file = VectorFile(path)
    opened = count_read()
    file.read(describe(pa.table({"id": ["9"]}), task="toy", labels=("a", "b")), np.array([9]), total=64)
    size = path.stat().st_size
    assert opened - before < size / 8
    assert size / 8 < count_read() - opened < size / 4  # one record batch
