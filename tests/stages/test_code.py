import json
from pathlib import Path

from pipeline.core.stage import STAGES
from pipeline.stages.code import run


def test_every_stage_but_the_first_two_has_its_own_fingerprint(tmp_path):
    run(package=Path("pipeline"), lock=Path("requirements.lock"), fingerprints=tmp_path / "code.json")
    fingerprints = json.loads((tmp_path / "code.json").read_text())
    assert list(fingerprints) == [stage for stage in STAGES if stage != "code"]
    assert len(set(fingerprints.values())) == len(fingerprints)
    assert all(len(value) == 64 for value in fingerprints.values())
