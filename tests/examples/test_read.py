import gzip
import io
import json
import os
import re
import stat
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import DataError, EnvironmentFault, PipelineError, UsageError
from pipeline.examples.faults import Faults
from pipeline.examples.files import open_file
from pipeline.examples.lines import LineCap
from pipeline.examples.read import Layout, Limits, open_rows, read_records, stream_records
from pipeline.examples.records import join_records
from pipeline.examples.taking.entry import take_in
from pipeline.kinds.text_classification.examples import EXAMPLES
from pipeline.settings.ingest import Holds, IngestParams
from tests.given.ingesting import COMMON, ingest_params

CSV = b"text,label,topic\ngood,pos,a\nbad,neg,\n"
JSONL = b'{"text": "good", "label": "pos", "topic": "a"}\n{"text": "bad", "label": "neg", "topic": ""}\n'
PATTERN = {"format": "pattern", "pattern": "(?P<text>[^|]*)[|](?P<label>[^|]*)[|](?P<topic>.*)"}


def read_bytes(path: Path, *, max_bytes: int | None) -> bytes:
    with open_file(path, max_bytes=max_bytes) as stream:
        return stream.read()


def parquet_bytes() -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.table({"text": ["good", "bad"], "label": ["pos", "neg"], "topic": ["a", ""]}), stream)
    return stream.getvalue()


FORMATS: list[tuple[bytes, dict[str, Any]]] = [
    (CSV, {}),
    (b"\xef\xbb\xbf" + CSV.replace(b",", b"\t"), {"delimiter": "\t", "quote": ""}),
    (CSV.decode().encode("utf-16"), {"encoding": "utf-16"}),
    (JSONL, {"format": "jsonl"}),
    (b"good|pos|a\nbad|neg|\n", PATTERN),
    (parquet_bytes(), {"format": "parquet"}),
]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("content", "own"), FORMATS)
def test_every_format_gives_the_same_columns(tmp_path: Path, content: bytes, own: dict[str, Any], packed: bool) -> None:
    path = tmp_path / ("raw #1; é.gz" if packed else "raw #1; é")
    path.write_bytes(gzip.compress(content) if packed else content)
    records = read_records(path, ingest_params(**own, keep=["topic"]))
    assert records.file == str(path)
    assert {name: records.texts(name) for name in records.columns} == {
        "text": ["good", "bad"],
        "label": ["pos", "neg"],
        "topic": ["a", ""],
    }


@given(content=st.binary(), cap=st.integers(1, 40), packed=st.booleans())
def test_bytes_come_whole_or_not_at_all(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, cap: int, packed: bool
) -> None:
    path = tmp_path_factory.mktemp("raw") / ("raw.gz" if packed else "raw")
    stored = gzip.compress(content) if packed else content
    path.write_bytes(stored)
    if max(len(content), len(stored)) <= cap:
        assert read_bytes(path, max_bytes=cap) == content
    else:
        with pytest.raises(DataError, match=f"has more than {cap} bytes"):
            read_bytes(path, max_bytes=cap)


def test_a_gzip_bomb_is_refused_without_unpacking_it(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.csv.gz"
    bomb.write_bytes(gzip.compress(bytes(200_000_000), compresslevel=1))
    with pytest.raises(DataError, match=r"bomb\.csv\.gz: has more than 1000000 bytes"):
        read_bytes(bomb, max_bytes=1_000_000)


@pytest.mark.parametrize("spoil", [lambda b: b[:-9], lambda b: b"plain" + b, lambda b: b[:12] + b"\xff\xff" + b[14:]])
def test_a_damaged_gzip_file_is_bad_data(tmp_path: Path, spoil: Any) -> None:
    path = tmp_path / "raw.csv.gz"
    path.write_bytes(spoil(gzip.compress(CSV * 50)))
    with pytest.raises(DataError, match="not a whole gzip file"):
        read_bytes(path, max_bytes=10**6)


def test_a_packed_parquet_file_without_a_cap_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "raw.parquet.gz"
    path.write_bytes(gzip.compress(parquet_bytes()))
    layout = Layout("parquet", "utf-8", ",", '"')
    with pytest.raises(DataError, match=r"raw\.parquet\.gz: .*Unpack it"), open_rows(path, layout, ("text",), LIMITS):
        pass


@pytest.mark.parametrize("name", ["A.CSV.GZ", "a.Gz"])
def test_the_case_of_a_suffix_does_not_count(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(CSV))
    assert read_records(path, ingest_params()).texts("text") == ["good", "bad"]


def several(folder: Path) -> Path:
    folder.mkdir()
    (folder / "more").mkdir()
    (folder / "test.csv").write_bytes(b"text,label\nlast,neg\n")
    (folder / "train-1.csv").write_bytes(b"text,label\none,pos\n\ntwo,neg\n")
    (folder / "train-2.csv").write_bytes(b"label,text\nneg,three\n")
    (folder / "more/x.csv").write_bytes(CSV)
    return folder


@pytest.mark.parametrize(
    ("files", "names", "texts"),
    [
        (["train-*.csv", "test.csv"], ["train-1.csv", "train-2.csv", "test.csv"], ["one", "two", "three", "last"]),
        (["test.csv", "*.csv"], ["test.csv", "more/x.csv", "train-1.csv", "train-2.csv"], None),
        (
            {"test": ["test.csv"], "train": ["train-*"]},
            ["test.csv", "train-1.csv", "train-2.csv"],
            ["last", "one", "two", "three"],
        ),
    ],
)
def test_several_files_of_a_folder_are_read_in_order(
    tmp_path: Path, files: Any, names: list[str], texts: list[str] | None
) -> None:
    records = read_records(several(tmp_path / "raw"), ingest_params(files=files))
    assert [part.name for part in records.parts] == names
    assert texts is None or records.texts("text") == texts
    sides = records.sides()
    assert sides == (["test", "train", "train", "train"] if isinstance(files, dict) else None)


def test_a_file_is_opened_when_its_turn_comes(tmp_path: Path) -> None:
    folder = several(tmp_path / "raw")
    pieces = stream_records(folder, ingest_params(files=["train-1.csv", "test.csv"]))
    assert next(pieces).texts("text") == ["one", "two"]
    (folder / "test.csv").write_bytes(b"text,label\nlater,neg\n")
    rest = join_records([*pieces])
    assert (rest.texts("text"), rest.places_of([0])) == (["later"], ["test.csv:2"])


def test_a_fault_names_its_file(tmp_path: Path) -> None:
    folder = several(tmp_path / "raw")
    records = read_records(folder, ingest_params(files=["train-*.csv", "test.csv"]))
    error = records.fault("odd", [(1, "b"), (2, None), (3, None)], "Mend.", column="c")
    where = f"{folder}:train-1.csv:4: column 'c': 3 row(s) odd (line train-1.csv:4, train-2.csv:2, test.csv:2): 'b'."
    assert where in str(error)
    (folder / "train-1.csv").write_bytes(b"text,label\none\n")
    (folder / "train-2.csv").write_bytes(b"text,label\none,pos\rtwo,pos\nthree,pos,\n")
    faults = read_records(folder, ingest_params(files=["train-*.csv"])).faults
    assert [fault.split(": ")[0] for fault in faults] == [
        f"{folder}/train-1.csv:2", f"{folder}/train-2.csv:2", f"{folder}/train-2.csv:4",
    ]  # fmt: skip
    (folder / "test.csv").write_bytes(b"text,label\n" + b"x" * 1001 + b",pos\n")
    with pytest.raises(DataError) as caught:
        read_records(folder, ingest_params(files=["*"]))
    for name in ("test.csv:2", "train-1.csv:2", "train-2.csv:4"):
        assert f"{folder}/{name}: " in str(caught.value)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (["x.csv"], r"no file 'x\.csv'; there are 'more/x\.csv', 'test\.csv'"),
        ({"train": ["*"], "test": ["test.csv"]}, r"'test\.csv' is in train and in test"),
    ],
)
def test_files_that_are_not_there_or_in_two_splits_are_refused(tmp_path: Path, files: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_records(several(tmp_path / "raw"), ingest_params(files=files))


def test_files_are_those_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(CSV)
    for name, words in {"raw": "is a file.*`files: null`", "none": "is not there"}.items():
        with pytest.raises(DataError, match=words):
            read_records(tmp_path / name, ingest_params(files=["*"]))


def test_no_space_to_unpack_is_a_fault_of_the_machine(tmp_path: Path) -> None:
    # A limit on the size of files, in a process of its own, stands for a full disk.
    path = tmp_path / "raw.parquet.gz"
    path.write_bytes(gzip.compress(bytes(3 * 2**20)))
    program = (
        "import resource, signal, sys; from pathlib import Path; from pipeline.core.errors import EnvironmentFault\n"
        "from pipeline.examples.read import read_records; from tests.given.ingesting import ingest_params\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))\n"
        "try: read_records(Path(sys.argv[1]), ingest_params(format='parquet'))\n"
        "except EnvironmentFault as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert re.search(r"raw\.parquet\.gz: could not be unpacked to .*File too large.*TMPDIR", done.stdout)


def missing(path: Path) -> None:
    assert not path.exists()


def folder(path: Path) -> None:
    path.mkdir()


def loop(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize("make", [missing, folder, loop])
def test_a_file_that_cannot_be_read_is_a_fault_of_the_machine(tmp_path: Path, make: Any) -> None:
    make(tmp_path / "raw.csv")
    with pytest.raises(EnvironmentFault, match=r"raw\.csv could not be read"):
        read_records(tmp_path / "raw.csv", ingest_params())


@contextmanager
def without_privileges() -> Iterator[None]:
    """Be a user who may not read everything, as root may."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)  # nobody
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_file_without_permission_is_a_fault_of_the_machine(tmp_path: Path) -> None:
    path = tmp_path / "raw.csv"
    path.write_bytes(CSV)
    path.chmod(stat.S_IWUSR)
    with without_privileges(), pytest.raises(EnvironmentFault, match="permissions"):
        read_records(path, ingest_params())


def test_a_file_that_is_replaced_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, other, fstat = tmp_path / "raw.csv", tmp_path / "other.csv", os.fstat
    path.write_bytes(CSV)
    other.write_bytes(CSV)

    def swap(handle: int) -> os.stat_result:
        state = fstat(handle)
        if other.exists():
            other.replace(path)
        return state

    monkeypatch.setattr(os, "fstat", swap)
    with pytest.raises(EnvironmentFault, match="changed while it was read"):
        read_records(path, ingest_params())
    assert len(read_records(path, ingest_params()).lines) == 2


def read_while_it_is_written(path: Path, fault: Exception | None) -> None:
    path.write_bytes(CSV)
    with open_file(path, max_bytes=None) as stream:
        assert stream.read(1) == CSV[:1]
        path.write_bytes(CSV * 2)
        if fault is not None:
            raise fault


@pytest.mark.parametrize("fault", [None, DataError("an unclosed quote"), EOFError("the end of a gzip file")])
def test_a_file_that_changes_is_refused_for_that_and_not_for_its_content(
    tmp_path: Path, fault: Exception | None
) -> None:
    with pytest.raises(EnvironmentFault, match=r"raw\.csv changed while it was read"):
        read_while_it_is_written(tmp_path / "raw.csv", fault)


def test_a_file_that_grows_while_it_is_read_is_not_read_to_its_end() -> None:
    # The kernel gives bytes without end, and a size of 0.
    with pytest.raises(EnvironmentFault, match="changed while it was read"):
        read_bytes(Path("/dev/zero"), max_bytes=None)


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    writer = os.open(tmp_path / "pipe.csv", os.O_RDWR)
    try:
        with pytest.raises(UsageError, match=r"pipe\.csv: is a pipe"):
            read_bytes(tmp_path / "pipe.csv", max_bytes=None)
    finally:
        os.close(writer)


LIMITS = Limits(None, LineCap(10_000, "k"), 1000)
LAYOUTS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("delimited", "text,label\n{}", '"a {0}\nb",x\n', {}),
    ("jsonl", "{}", '{{"text": "a {0}", "label": "x"}}\n', {}),
    ("pattern", "{}", "x|a {0}\n", {"pattern": "(?P<label>x)[|](?P<text>.*)"}),
    ("text", "{}", "a {0}\n", {}),
]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("form", "file", "row", "own"), LAYOUTS)
def test_memory_does_not_grow_with_the_file(
    tmp_path: Path, form: Any, file: str, row: str, own: dict[str, Any], packed: bool
) -> None:
    layout = Layout(form, "utf-8", ",", '"', **own)
    peaks = []
    for count in (4_000, 20_000):
        content = file.format("".join(row.format("word " * 50) for _ in range(count))).encode()
        path = tmp_path / ("raw.gz" if packed else "raw")
        path.write_bytes(gzip.compress(content, 1) if packed else content)
        del content
        tracemalloc.start()
        with open_rows(path, layout, ("text", "label"), LIMITS) as rows:
            assert sum(1 for _ in rows) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


# The whole malformed corpus through the doors a stage uses: file, own params, error, and the words it must hold.
CORPUS: list[tuple[bytes, dict[str, Any], type[PipelineError], list[str]]] = [
    (b"", {}, DataError, ["the file is empty"]),
    (b"text,label\n", {}, DataError, ["found no rows"]),
    (b'{"text": "a", "label": "\\ud800"}\n', {"format": "jsonl"}, DataError, [":1: column 'label'", "lone surrogate"]),
    (b"text,label\na,b\n" + b"x" * 1001 + b",c\n", {}, DataError, [":3: column 'text'", "more than 1000 bytes"]),
    (b"text,label\na,b\n" + b"x," * 8001, {}, DataError, [":3: the line", "more than 16000 bytes", "`max_cell_bytes`"]),
    (b'{"text": "a", "x": "' + b"x" * 16_000, {"format": "jsonl"}, DataError, [":1: the line", "`max_cell_bytes`"]),
    (b"text,label\n" + b"a,b\n" * 99, {"max_file_bytes": 100}, DataError, ["more than 100 bytes", "`max_file_bytes`"]),
    (b"text;label\na;b\n", {}, DataError, ["looks like ';'"]),
    (b"text,label\na\xe9,b\n", {}, DataError, [":2:", "offset 12", "`encoding:`"]),
    (b"text,label\na,b\n", {"keep": ["topic"]}, DataError, ["column 'topic' is not there"]),
    (b"good|pos|a\nbad\n", PATTERN, DataError, [":2: 1 row(s) not matching"]),
    (CSV, {"format": "parquet"}, DataError, ["not a whole Parquet file"]),
    (gzip.compress(CSV, mtime=0), {}, DataError, ["let its name end in .gz"]),
]


@pytest.mark.parametrize(("content", "own", "kind", "words"), CORPUS)
def test_the_malformed_corpus(
    tmp_path: Path, content: bytes, own: dict[str, Any], kind: type[PipelineError], words: list[str]
) -> None:
    path = tmp_path / "raw.csv"
    path.write_bytes(content)
    with pytest.raises(kind) as caught:
        take_in(read_records(path, ingest_params(**own)), ingest_params(**own), EXAMPLES)
    for word in (str(path), *words):
        assert word in str(caught.value)


class ListParams(IngestParams):
    """Rows with lists and bytes, as some kinds of tasks read them."""

    holds: dict[str, Holds]
    separator: str | None

    def own_columns(self) -> dict[str, Holds]:
        return self.holds

    def list_separator(self) -> str | None:
        return self.separator


def list_params(file_format: str, separator: str | None = None, **holds: Holds) -> ListParams:
    own = {name: value for name, value in COMMON.items() if name in IngestParams.model_fields}
    values = {**own, "task": "t", "file": "f", "format": file_format, "corrected": {}, "max_cell_bytes": 20}
    return ListParams.model_validate({**values, "holds": holds, "separator": separator}, strict=False)


def test_lists_are_read_alike_from_every_format(tmp_path: Path) -> None:
    words, starts = [["a", "b c"], [], ["d"]], [["0", "12"], [], ["3"]]
    lines = [json.dumps({"words": row, "starts": list(map(int, at))}) for row, at in zip(words, starts, strict=True)]
    (tmp_path / "f.jsonl").write_text("\n".join(lines))
    table = pa.table({"words": words, "starts": pa.array([[0, 12], [], [3]], pa.list_(pa.int64()))})
    pq.write_table(table, tmp_path / "f.parquet")
    (tmp_path / "f.csv").write_text("words,starts\na|b c,0|12\n,\nd,3\n")
    for name, form in (("f.jsonl", "jsonl"), ("f.parquet", "parquet"), ("f.csv", "delimited")):
        records = read_records(tmp_path / name, list_params(form, "|", words="texts", starts="cells"))
        assert records.lists("words") == words
        assert records.lists("starts") == starts


@pytest.mark.parametrize(
    ("form", "content", "message"),
    [
        ("jsonl", '{"words": ["a", 1]}', r":1.*words.*lists of strings"),
        ("jsonl", '{"words": "a"}', r":1.*words.*lists of strings"),
        ("jsonl", '{"words": ["' + "a" * 11 + '", "' + "b" * 11 + '"]}', "more than 20 bytes"),
        ("jsonl", '{"words": ["\\ud800"]}', "surrogate"),
        ("delimited", "words,x\na b,1\n", "separator"),
    ],
)
def test_what_is_no_list_is_refused(tmp_path: Path, form: str, content: str, message: str) -> None:
    (tmp_path / "f").write_text(content)
    with pytest.raises(DataError, match=message):
        Faults(read_records(tmp_path / "f", list_params(form, words="texts")).faults).check()


def test_bytes_are_read_from_parquet_alone(tmp_path: Path) -> None:
    images = [b"\x89PNG", b"\xff\xd8"]
    plain, struct = pa.array(images), pa.array([{"bytes": image, "path": None} for image in images])
    for column in (plain, struct):
        pq.write_table(pa.table({"image": column}), tmp_path / "f.parquet")
        records = read_records(tmp_path / "f.parquet", list_params("parquet", image="bytes"))
        assert records.columns["image"].to_pylist() == images
    pq.write_table(pa.table({"image": ["a"]}), tmp_path / "f.parquet")
    with pytest.raises(DataError, match=r"image.*not bytes"):
        read_records(tmp_path / "f.parquet", list_params("parquet", image="bytes"))
    (tmp_path / "f.csv").write_text("image,x\na,1\n")
    with pytest.raises(DataError, match="Use Parquet"):
        read_records(tmp_path / "f.csv", list_params("delimited", image="bytes"))
