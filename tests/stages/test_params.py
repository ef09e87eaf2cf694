import json
from pathlib import Path

import pytest

from pipeline.core.errors import DataError, EnvironmentFault, UsageError
from pipeline.core.stage import load_facets
from pipeline.settings.parse import parse_params
from pipeline.stages.params import run
from tests.given.settings import dump, resolve_params

TEXT = Path("params.yaml").read_text(encoding="utf-8")
ID = "0123456789abcdef"


@pytest.fixture
def resolve(tmp_path):
    """Return a function that runs the stage on the files of a folder and returns what it wrote."""
    (tmp_path / "params.yaml").write_text(TEXT)
    (tmp_path / "profiles.json").write_text("{}")
    (tmp_path / "corrections").mkdir()
    (tmp_path / "corrections" / "README.md").write_text("no corrections")

    def run_stage():
        inputs = {"settings": "params.yaml", "profiles": "profiles.json", "corrections": "corrections"}
        run(
            load_facets("settings"),
            **{name: tmp_path / path for name, path in inputs.items()},
            resolved=tmp_path / "out",
        )
        return json.loads((tmp_path / "out").read_text())

    return run_stage


def correct(folder: Path, text: str, name: str = "spam.csv") -> None:
    """Write a file of corrections, and name it in the params of one task."""
    values, _ = parse_params(TEXT)
    values["tasks"]["spam"]["ingest"]["corrections"] = "spam.csv"
    (folder / "params.yaml").write_text(dump(values))
    (folder / "corrections" / name).write_text(text)


def test_it_writes_what_resolves(resolve):
    assert resolve() == resolve_params(TEXT, {})


def test_nothing_is_written_when_something_is_wrong(resolve, tmp_path):
    (tmp_path / "params.yaml").write_text("encoder: x")
    with pytest.raises(UsageError):
        resolve()
    (tmp_path / "profiles.json").write_text("{")
    with pytest.raises(EnvironmentFault):
        resolve()
    assert not (tmp_path / "out").exists()


def test_what_is_not_utf_8_is_refused(resolve, tmp_path):
    (tmp_path / "params.yaml").write_bytes("title: Überblick".encode("latin-1"))
    with pytest.raises(UsageError, match=r"params\.yaml: .*UTF-8.*position 7"):
        resolve()


def test_corrections_reach_their_task_alone(resolve, tmp_path):
    before = resolve()
    correct(tmp_path, f"id,label,correction\n{ID},ham,spam\n")
    after = resolve()
    assert after["ingest"]["spam"].pop("corrected") == {ID: {"label": "ham", "correction": "spam"}}
    assert after["ingest"]["spam"].pop("corrections") == "spam.csv"
    assert before["ingest"]["spam"].pop("corrected") == {}
    assert before["ingest"]["spam"].pop("corrections") is None
    assert after == before


def test_corrections_that_are_not_there_are_named_with_their_line(resolve, tmp_path):
    correct(tmp_path, "id,correction\n", name="spma.csv")
    with pytest.raises(UsageError, match=r"line \d+: tasks\.spam\.ingest\.corrections: .*spma\.csv"):
        resolve()


@pytest.mark.parametrize("text", ["id,correction\nx,spam\n", "id\n"])
def test_a_malformed_file_of_corrections_is_named(resolve, tmp_path, text):
    correct(tmp_path, text)
    with pytest.raises(DataError, match=r"spam\.csv"):
        resolve()
    (tmp_path / "corrections" / "spam.csv").write_bytes(b"id,correction\n\xff")
    with pytest.raises(DataError, match=r"spam\.csv: .*UTF-8"):
        resolve()
