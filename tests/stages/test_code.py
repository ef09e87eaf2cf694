import json
from pathlib import Path

from pipeline.core.stage import KINDS, STAGES
from pipeline.stages.code import run


def test_every_stage_but_the_first_two_has_its_own_fingerprint(tmp_path):
    run(package=Path("pipeline"), lock=Path("requirements.lock"), fingerprints=tmp_path / "code.json")
    fingerprints = json.loads((tmp_path / "code.json").read_text())
    assert list(fingerprints) == [stage for stage in STAGES if stage != "code"]
    by_kind = {stage: value for stage, value in fingerprints.items() if isinstance(value, dict)}
    assert {"params", "finetune", "study"} <= by_kind.keys()
    assert all(list(values) == list(KINDS) for values in by_kind.values())
    values = [value for own in fingerprints.values() for value in (own.values() if isinstance(own, dict) else [own])]
    assert len(set(values)) == len(values)
    assert all(len(value) == 64 for value in values)
