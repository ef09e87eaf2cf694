import json
from pathlib import Path

import pytest

from pipeline.core.errors import EnvironmentFault, UsageError
from pipeline.settings.resolve import resolve_params
from pipeline.stages.params import run

TEXT = Path("params.yaml").read_text(encoding="utf-8")


def test_it_writes_what_resolves(tmp_path):
    (tmp_path / "params.yaml").write_text(TEXT)
    (tmp_path / "profiles.json").write_text("{}")
    out = tmp_path / "params.json"
    run(settings=tmp_path / "params.yaml", profiles=tmp_path / "profiles.json", resolved=out)
    assert json.loads(out.read_text()) == resolve_params(TEXT, {})


def test_nothing_is_written_when_something_is_wrong(tmp_path):
    (tmp_path / "params.yaml").write_text("encoder: x")
    (tmp_path / "profiles.json").write_text("{}")
    with pytest.raises(UsageError):
        run(settings=tmp_path / "params.yaml", profiles=tmp_path / "profiles.json", resolved=tmp_path / "out")
    (tmp_path / "profiles.json").write_text("{")
    with pytest.raises(EnvironmentFault):
        run(settings=tmp_path / "params.yaml", profiles=tmp_path / "profiles.json", resolved=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_not_utf_8_is_refused(tmp_path):
    (tmp_path / "params.yaml").write_bytes("title: Überblick".encode("latin-1"))
    (tmp_path / "profiles.json").write_text("{}")
    with pytest.raises(UsageError, match=r"params\.yaml: .*UTF-8.*position 7"):
        run(settings=tmp_path / "params.yaml", profiles=tmp_path / "profiles.json", resolved=tmp_path / "out")
