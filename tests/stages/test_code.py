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
    values = [set(own.values()) if isinstance(own, dict) else {own} for own in fingerprints.values()]
    assert len(set().union(*values)) == sum(map(len, values))  # two kinds may share code, two stages may not
    assert all(len(value) == 64 for own in values for value in own)


def test_kinds_that_name_the_same_code_share_a_fingerprint(tmp_path):
    run(package=Path("pipeline"), lock=Path("requirements.lock"), fingerprints=tmp_path / "code.json")
    extract = json.loads((tmp_path / "code.json").read_text())["extract"]
    assert extract["text-classification"] == extract["text-regression"] != extract["image-classification"]
