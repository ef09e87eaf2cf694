import csv
import gzip
import io
import json
import random
import signal
import subprocess
import sys
import time
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import Busy, DataError, UsageError
from pipeline.examples.text import normalise, text_id, text_key
from pipeline.predict.job import PartSize, group_questions, predict_file
from pipeline.predict.predictor import load_predictor
from pipeline.predict.texts import InputQuestion, choose_source
from tests.given.exports import TEXTS, prepare_export

COLUMNS = ["row", "id", "label", "probability", "unsure"]


@pytest.fixture(scope="module")
def exported(shared):
    return prepare_export(shared)


@pytest.fixture(scope="module")
def predictor(exported):
    return load_predictor(exported.bundle, backend="fp32", threads=1)


def source_of(name, **options):
    return choose_source(name, None, form=options.get("form"), columns=options.get("columns", ()))


def write_lines(path, texts=TEXTS):
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    return path


def predict(predictor, path, out, **options):
    every, part_rows = options.pop("every", False), options.pop("part_rows", 64)
    return predict_file(predictor, path, source_of(path.name, **options), out, every=every, part_rows=part_rows)


def read_rows(out):
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]


def test_answers_are_those_of_the_model_in_the_order_of_the_file(predictor, tmp_path):
    out = tmp_path / "answers.jsonl"
    outcome = predict(predictor, write_lines(tmp_path / "in.jsonl"), out, every=True)
    rows = read_rows(out)
    expected = predictor.predict(predictor.encode(TEXTS))
    assert [row["row"] for row in rows] == [*range(1, len(TEXTS) + 1)]
    assert [row["id"] for row in rows] == [text_id(text_key(normalise(text))) for text in TEXTS]
    assert [row["label"] for row in rows] == [predictor.labels[place] for place in expected.argmax(axis=1)]
    assert [row["probability"] for row in rows] == pytest.approx(expected.max(axis=1), abs=1e-5)
    assert [list(row.values())[5:] for row in rows] == [pytest.approx(of, abs=1e-5) for of in expected.tolist()]
    assert [*rows[0]] == [*COLUMNS, *(f"probability_{label}" for label in predictor.labels)]
    assert (outcome.answered, outcome.rejected, sum(outcome.labels.values())) == (len(TEXTS), 0, len(TEXTS))
    assert {path.name for path in tmp_path.iterdir()} == {"in.jsonl", "answers.jsonl"}


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl.gz", "a.parquet"])
def test_each_format_holds_the_same_answers_and_the_same_bytes(predictor, tmp_path, name):
    path = write_lines(tmp_path / "in.jsonl")
    predict(predictor, path, tmp_path / "plain.jsonl")
    rows = read_rows(tmp_path / "plain.jsonl")
    contents = []
    for _ in range(2):
        predict(predictor, path, tmp_path / name)
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]
    text = gzip.decompress(contents[0]).decode() if name.endswith(".gz") else None
    if name.endswith(".parquet"):
        assert pq.read_table(tmp_path / name).to_pylist() == rows
    elif "csv" in name:
        read = [*csv.DictReader(io.StringIO(text or contents[0].decode()))]
        assert read == [{key: str(row[key]).replace("False", "false") for key in COLUMNS} for row in rows]
    else:
        assert [json.loads(line) for line in text.splitlines()] == rows


def test_each_format_is_read_and_rows_keep_their_lines(predictor, tmp_path):
    texts = ["good film", "bad, film", 'a "long"\nstory']
    answers = {}
    (tmp_path / "a.csv").write_text('text,n\ngood film,1\n"bad, film",2\n"a ""long""\nstory",3\n')
    (tmp_path / "a.tsv").write_text('n\ttext\n1\tgood film\n2\tbad, film\n3\t"a ""long""\nstory"\n')
    pq.write_table(pa.table({"text": texts}), tmp_path / "a.parquet")
    with gzip.open(tmp_path / "a.jsonl.gz", "wt") as stream:
        stream.writelines(json.dumps({"text": text}) + "\n" for text in texts)
    (tmp_path / "a.txt").write_text("good film\nbad, film\n")
    for name in ("a.csv", "a.tsv", "a.parquet", "a.jsonl.gz", "a.txt"):
        predict(predictor, tmp_path / name, tmp_path / "out.jsonl")
        answers[name] = read_rows(tmp_path / "out.jsonl")
    lines = {name: [row.pop("row") for row in rows] for name, rows in answers.items()}
    assert lines["a.csv"] == lines["a.tsv"] == [2, 3, 4]
    assert lines["a.parquet"] == lines["a.jsonl.gz"] == [1, 2, 3]
    assert answers["a.csv"] == answers["a.tsv"] == answers["a.parquet"] == answers["a.jsonl.gz"]
    assert answers["a.txt"] == answers["a.csv"][:2]


def test_a_suffix_may_be_in_capitals():
    assert source_of("NEW.CSV.GZ") == source_of("new.csv.gz") == source_of("new.CSV")


def test_rows_without_a_text_are_rejected_with_line_and_reason(predictor, tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_bytes(
        b'{"text": "good"}\n{"text": " \\u200b"}\n{"text": null}\nnot json\n{"text": "bad\xff"}\n[1]\n{"text": 3}\n'
        b'{"text": ["a"]}\n{"other": "x"}\n{"text": "half \\ud800"}\n\n{"text": "film", "text": "twice"}\n'
        b'{"text": "end"}'
    )
    outcome = predict(predictor, path, tmp_path / "out.csv")
    rejected = read_rows(tmp_path / "out.csv.rejected.jsonl")
    assert [row["row"] for row in rejected] == [2, 3, 4, 5, 6, 7, 8, 9, 10, 12]
    assert all(row["reason"] for row in rejected)
    assert (outcome.answered, outcome.rejected) == (2, 10)
    path.write_text('{"text": "good"}\n')
    predict(predictor, path, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv.rejected.jsonl").exists()


def test_rows_of_another_length_and_bad_bytes_of_a_csv_are_rejected(predictor, tmp_path):
    path = tmp_path / "in.csv"
    path.write_bytes(b"text,n\ngood,1\nbad\nfi\xfflm,2\n,3\nthe end,4\n")
    outcome = predict(predictor, path, tmp_path / "out.jsonl")
    assert [row["row"] for row in read_rows(tmp_path / "out.jsonl")] == [2, 6]
    assert [row["row"] for row in read_rows(tmp_path / "out.jsonl.rejected.jsonl")] == [3, 4, 5]
    assert outcome.rejected == 3


@given(st.lists(st.text(max_size=9) | st.lists(st.text(max_size=5), max_size=3)), st.integers(1, 5), st.integers(0, 20))
def test_a_part_has_so_many_rows_and_characters_at_most(questions, rows, characters):
    each = [InputQuestion(row, str(row), question) for row, question in enumerate(questions)]
    parts = [*group_questions(each, PartSize(rows, characters))]
    sizes = [[len("".join(one.question)) for one in part] for part in parts]
    assert [one for part in parts for one in part] == each
    assert all(0 < len(own) <= rows and (len(own) == 1 or sum(own) <= characters) for own in sizes)
    assert all(len(own) == rows or sum(own) + after[0] > characters for own, after in pairwise(sizes))


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_every_kind_of_line_end_is_read(predictor, tmp_path, end):
    path = tmp_path / "in.txt"
    path.write_bytes(end.join(["good", "bad", "film"]).encode())
    assert predict(predictor, path, tmp_path / "out.jsonl")[::3] == (3, 0)


HOSTILE = {
    "empty.jsonl": b"",
    "blank.csv": b"\n \n",
    "no-column.csv": b"a,b\n1,2\n",
    "unclosed.csv": b'text\n"good\n',
    "zip.csv": b"PK\x03\x04...",
    "other.parquet": b"PAR1...",
    "cut.jsonl.gz": gzip.compress(b'{"text": "good"}\n' * 999)[:-20],
    "utf16.csv": "text\ngood\n".encode("utf-16"),
    "long-line.csv": b"text\n" + b"x" * 17_000_000,
    "packed.parquet.gz": gzip.compress(b"PAR1"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_is_no_table_of_texts_is_refused_and_leaves_nothing(predictor, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(HOSTILE[name])
    with pytest.raises(DataError, match=name.partition(".")[0]):
        predict(predictor, path, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()
    assert not (tmp_path / "out.csv.rejected.jsonl").exists()


def test_a_name_without_a_format_is_refused_before_the_work(predictor, tmp_path):
    path = write_lines(tmp_path / "in.jsonl")
    for out in ("out.txt", "out.parquet.gz", "out"):
        with pytest.raises(UsageError, match=r"\.csv"):
            predict(predictor, path, tmp_path / out)
    with pytest.raises(UsageError, match="--format"):
        source_of("in.dat")


class Killed(BaseException):
    pass


def test_a_job_goes_on_where_it_was_and_starts_anew_for_another_file(predictor, tmp_path):
    path, out = write_lines(tmp_path / "in.jsonl"), tmp_path / "out.jsonl"
    predict(predictor, path, tmp_path / "whole.jsonl")
    computed = []

    def compute(arrays):
        computed.append(len(arrays["input_ids"]))
        if sum(computed) > 130:
            raise Killed
        return predictor.compute(arrays)

    with pytest.raises(Killed):
        predict(predictor._replace(compute=compute), path, out)
    (folder,) = (tmp_path / "out.jsonl.parts").iterdir()
    parts = sorted(folder.iterdir())
    assert [part.name for part in parts] == ["00000000.arrow", "00000001.arrow"]
    computed.clear()
    with pytest.raises(Killed):
        predict(predictor._replace(compute=compute, version="other"), path, out)
    assert sum(computed) > 128  # nothing is taken over from another model
    assert not folder.exists()
    computed[:] = [-(10**6)]
    predict(predictor._replace(compute=compute), path, out)
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert not (tmp_path / "out.jsonl.parts").exists()


CODE = """
import sys, time
from pathlib import Path
from pipeline.predict.job import PartSize, group_questions, predict_file
from pipeline.predict.predictor import load_predictor
from pipeline.predict.texts import choose_source
predictor = load_predictor(Path(sys.argv[1]), threads=1)
def compute(arrays):
    time.sleep(float(sys.argv[4]))
    return predictor.compute(arrays)
source = choose_source(sys.argv[2], None, form=None, columns=())
slow = predictor._replace(compute=compute)
predict_file(slow, Path(sys.argv[2]), source, Path(sys.argv[3]), every=True, part_rows=20)
"""


def start_job(exported, path, out, seconds):
    """Predict in a process of its own, which sleeps before each batch."""
    words = [str(exported.bundle), str(path), str(out), str(seconds)]
    return subprocess.Popen([sys.executable, "-c", CODE, *words], stdout=subprocess.DEVNULL)


def test_a_killed_process_leaves_parts_that_the_next_one_takes_over(exported, tmp_path):
    path = write_lines(tmp_path / "in.jsonl")

    out, whole = tmp_path / "out.parquet", tmp_path / "whole.parquet"
    process = start_job(exported, path, out, 0.05)
    while len([*tmp_path.glob("out.parquet.parts/*/*.arrow")]) < 3:
        assert process.poll() is None
        time.sleep(0.01)
    with pytest.raises(Busy, match=r"out\.parquet"):
        predict(load_predictor(exported.bundle), path, out)
    process.send_signal(signal.SIGKILL)
    process.wait()
    first = {part: part.stat().st_mtime_ns for part in tmp_path.glob("out.parquet.parts/*/*.arrow")}
    assert not out.exists()
    assert len(first) >= 3
    assert start_job(exported, path, out, 0).wait() == start_job(exported, path, whole, 0).wait() == 0
    assert out.read_bytes() == whole.read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"in.jsonl", "out.parquet", "whole.parquet"}


@pytest.mark.slow
def test_ten_kills_at_random_moments_leave_the_same_bytes(exported, tmp_path):
    path, rng = write_lines(tmp_path / "in.jsonl"), random.Random(0)

    out, whole = tmp_path / "out.jsonl.gz", tmp_path / "whole.jsonl.gz"
    began = time.monotonic()
    assert start_job(exported, path, whole, 0.05).wait() == 0
    longest = time.monotonic() - began
    for _ in range(10):
        process = start_job(exported, path, out, 0.05)
        time.sleep(rng.uniform(0.3, 0.6) * longest)
        process.kill()
        process.wait()
    assert start_job(exported, path, out, 0).wait() == 0
    assert out.read_bytes() == whole.read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"in.jsonl", out.name, whole.name}


def test_long_texts_and_many_columns_are_joined_and_cut(predictor, tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_text(json.dumps({"title": "good film", "body": "bad " * 100_000}) + "\n")
    predict(predictor, path, tmp_path / "out.jsonl", columns=("title", "body"), every=True)
    (row,) = read_rows(tmp_path / "out.jsonl")
    expected = predictor.predict(predictor.encode(["good film\n" + "bad " * 100_000]))
    assert [*row.values()][5:] == pytest.approx(np.round(expected[0], 6).tolist(), abs=1e-6)
    assert row["id"] == text_id(text_key(normalise("good film\n" + "bad " * 100_000)))


@pytest.mark.parametrize("out", ["in.jsonl", "set.parquet", "mine.csv"])
def test_nothing_of_anybody_else_is_replaced(predictor, tmp_path, out):
    """The file that is read, a folder with the name of the answers, and a folder that only looks like parts."""
    path = write_lines(tmp_path / "in.jsonl")
    (tmp_path / "set.parquet").mkdir()
    (tmp_path / "set.parquet" / "part-0").write_text("kept")
    (tmp_path / "mine.csv.parts").mkdir()
    (tmp_path / "mine.csv.parts" / "notes.txt").write_text("kept")
    before = {place: place.read_bytes() for place in tmp_path.rglob("*") if place.is_file()}
    with pytest.raises(UsageError, match="--out: "):
        predict(predictor, path, tmp_path / out)
    assert {place: place.read_bytes() for place in tmp_path.rglob("*") if place.is_file()} == before
