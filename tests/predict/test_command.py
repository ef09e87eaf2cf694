import io
import json
import resource
import shutil
import signal
import sys
from tempfile import gettempdir

import pytest

from pipeline.__main__ import main
from pipeline.core.errors import UsageError
from pipeline.examples.text import text_id
from pipeline.predict.command import find_folder
from tests.given.exports import prepare_export


@pytest.fixture(scope="module")
def exported(shared):
    return prepare_export(shared)


@pytest.fixture
def project(exported, tmp_path, monkeypatch):
    """A folder with the bundle, the model, and how its task's file is read."""
    (tmp_path / "data").mkdir()
    for name, path in (("export", exported.bundle), ("model", exported.model)):
        (tmp_path / "data" / name).symlink_to(path.parent)
    ingest = {
        "task": "t", "file": "own/t.tsv", "files": None, "format": "delimited", "delimiter": "\t", "quote": "",
        "pattern": None, "encoding": "latin-1", "text": ["says"], "pair": None, "label": "is",
        "labels": ["bad", "good"], "threshold": None, "group": None, "split": None,
        "shares": {"train": 0.8, "validation": 0.1, "test": 0.1}, "salt": "s", "keep": [], "empty": "drop",
        "unlabelled": "fail", "conflicts": "drop", "corrections": None, "corrected": {},
        "controls": "space", "max_cell_bytes": 1000, "max_file_bytes": 1000,
    }  # fmt: skip
    (tmp_path / "data" / "params.json").write_text(json.dumps({"ingest": {"t": ingest}}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def answers(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_file_is_read_as_the_tasks_own_without_labels(project, capsys):
    (project / "new.tsv").write_bytes('says\tmore\ngood film\t1\n"caf\xe9"\t2\n\t3\n'.encode("latin-1"))
    assert main(["predict", "t", "new.tsv", "--out", "out.jsonl"]) == 0
    assert [row["row"] for row in answers(project / "out.jsonl")] == [2, 3]
    assert "2 answers in out.jsonl" in capsys.readouterr().out
    assert main(["predict", "t", "new.tsv", "--out", "out.jsonl", "--strict"]) == 3
    assert [row["row"] for row in answers(project / "out.jsonl.rejected.jsonl")] == [4]


def test_utf8_is_not_read_as_the_tasks_encoding_unless_that_is_said(project, capsys):
    (project / "new.tsv").write_text("says\ncaf\u00e9 film\n", encoding="utf-8")
    words = ["predict", "t", "new.tsv", "--out", "out.jsonl"]
    assert main(words) == 2
    assert {"`--encoding", "latin-1`"} <= set(capsys.readouterr().err.split())
    ids = []
    for encoding in ("utf-8", "latin-1"):
        assert main([*words, "--encoding", encoding]) == 0
        ids.append(answers(project / "out.jsonl")[0]["id"])
    assert ids[0] == text_id("caf\u00e9 film") != ids[1]
    (project / "plain.tsv").write_text("says\nfilm\n")
    assert main(["predict", "t", "plain.tsv", "--out", "out.jsonl"]) == 0


def test_a_delimiter_may_be_said(project):
    (project / "new.tsv").write_text("says;more\ngood\tfilm;1\n")
    assert main(["predict", "t", "new.tsv", "--out", "out.jsonl", "--delimiter", ";"]) == 0
    assert len(answers(project / "out.jsonl")) == 1


def test_backends_agree_and_a_path_names_a_model_too(project, exported):
    (project / "new.csv").write_text("says\ngood film\nbad film\n")
    found = []
    for model, backend in (
        ("t", "fp32"),
        ("t", "torch"),
        (str(exported.bundle), "fp32"),
        (str(exported.model), "auto"),
    ):
        assert main(["predict", model, "new.csv", "--out", "out.jsonl", "--backend", backend, "--threads", "1"]) == 0
        found.append(answers(project / "out.jsonl"))
    for rows in found[1:]:
        assert [row.pop("probability") for row in rows] == pytest.approx(
            [row["probability"] for row in found[0]], abs=1e-5
        )
        assert rows == [{key: value for key, value in row.items() if key != "probability"} for row in found[0]]


@pytest.mark.parametrize(
    ("given", "count"),
    [
        (b'{"says": "good"}\n{"says": "bad"}\n', 2),
        (b'\xef\xbb\xbf{"says": "good"}\n{"says": ""}\n', 1),
        (b"good\n\nbad\nfilm\n", 3),
    ],
)
def test_standard_input_is_json_lines_or_text(project, monkeypatch, given, count):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
    assert main(["predict", "t", "-", "--out", "out.jsonl"]) == 0
    assert len(answers(project / "out.jsonl")) == count


@pytest.mark.usefixtures("project")
def test_standard_input_that_fills_the_disk_names_the_folder(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"good film\n" * 10_000)))
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        code = main(["predict", "t", "-", "--out", "out.jsonl"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert code == 4
    assert {"standard", "TMPDIR", gettempdir()} <= set(capsys.readouterr().err.replace(",", "").split())


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("given", "words"),
    [
        (b"", []),
        (b"{}\n{}\n", ["--text", "absent"]),
        (b"good\n \xff\n", ["--strict"]),
        (b"good\rbad\nfine\n", []),  # one text or two?
    ],
)
def test_faults_of_standard_input_name_it(monkeypatch, capsys, given, words):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
    assert main(["predict", "t", "-", "--out", "out.jsonl", *words]) == 3
    err = capsys.readouterr().err
    assert err.startswith("predict: standard input:")
    assert gettempdir() not in err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["nothing", "new.csv", "--out", "a.csv"], 2, "found t"),
        (["t", "new.csv", "--out", "a.xls"], 2, ".csv"),
        (["t", "new.dat", "--out", "a.csv"], 2, "--format"),
        (["t", "new.csv", "--out", "a.csv", "--format", "xml"], 2, "xml"),
        (["t", "new.csv", "--out", "a.csv", "--encoding", "utf-9"], 2, "utf-9"),
        (["t", "new.csv", "--out", "a.csv", "--delimiter", "--"], 2, "'--'"),
        (["t", "new.csv", "--out", "a.csv", "--delimiter", '"'], 2, "differ"),
        (["t", "new.jsonl", "--out", "a.csv", "--delimiter", ";"], 2, "jsonl"),
        (["t", "new.parquet", "--out", "a.csv", "--encoding", "utf-8"], 2, "Parquet"),
        (["t", "absent.csv", "--out", "a.csv"], 4, "absent.csv"),
        (["t", "new.csv", "--out", "absent/a.csv", "--text", "other"], 3, "other"),
    ],
)
def test_what_is_wrong_is_named(project, capsys, words, code, message):
    (project / "new.csv").write_text("says\ngood film\n")
    assert main(["predict", *words]) == code
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("change", [{"controls": None}, {"separator": ";"}])
def test_params_of_another_version_are_not_read(project, capsys, change):
    path = project / "data" / "params.json"
    resolved = json.loads(path.read_text())
    resolved["ingest"]["t"] |= change
    path.write_text(json.dumps(resolved))
    (project / "new.csv").write_text("says\ngood film\n")
    assert main(["predict", "t", "new.csv", "--out", "out.csv"]) == 4
    assert {"ingest.t." + next(iter(change)) + ":", "repro`"} <= set(capsys.readouterr().err.split())


def test_a_task_without_a_bundle_has_its_model(project):
    (project / "data" / "export").unlink()
    assert find_folder("t").parts == ("data", "model", "t")


def test_a_task_comes_before_a_folder_of_its_name(project):
    (project / "t").mkdir()
    (project / "t" / "config.json").write_text("{}")
    assert find_folder("t").parts[0] == "data"
    assert find_folder("./t/../t").parts[-1] == "t"
    with pytest.raises(UsageError, match=r"^other: "):
        find_folder("other")


def test_a_bundle_of_an_earlier_model_is_told_by_name_alone(project, exported, capsys):
    (project / "new.csv").write_text("says\ngood film\n")
    words = ["new.csv", "--out", "out.jsonl", "--threads", "1"]
    assert main(["predict", "t", *words]) == 0
    assert capsys.readouterr().err == ""
    (project / "data" / "model").unlink()
    retrained = shutil.copytree(exported.model, project / "data" / "model" / "t")
    weights = retrained / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    assert main(["predict", "t", *words]) == 0
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert {"data/export/t:", "(model.safetensors).", "export@t`."} <= set(err.split())
    assert main(["predict", "data/export/t", *words]) == 0
    assert capsys.readouterr().err == ""
    weights.unlink()
    find_folder("t")
    assert capsys.readouterr().err == ""
