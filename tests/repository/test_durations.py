import json
import math
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.repository.durations import (
    DURATIONS_FILE,
    estimate_seconds,
    read_durations,
    record_duration,
    record_own_duration,
)
from tests.given.projects import ROOT, Project


def test_the_median_of_the_last_five_counts(tmp_path):
    assert read_durations(tmp_path) == {}
    for seconds in (100.0, 100.0, 1.0, 2.0, 3.0, 4.0, 90.0):
        record_duration(tmp_path, "a", seconds)
    record_duration(tmp_path, "b", 7.0)
    assert read_durations(tmp_path) == {"a": 3.0, "b": 7.0}


def test_lines_of_several_writers_stay_whole_and_a_torn_one_does_not_count(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: record_duration(tmp_path, "a", 1.0), range(200)))
    assert len((tmp_path / DURATIONS_FILE).read_text().splitlines()) == 200
    with (tmp_path / DURATIONS_FILE).open("a") as stream:
        stream.write('{"stage": "a", "sec')
    assert read_durations(tmp_path) == {"a": 1.0}


@pytest.mark.parametrize(
    ("environment", "recorded"),
    [
        ({}, {}),
        ({"DVC_STAGE": "a@b"}, {}),
        ({"DVC_STAGE": "a@b", "DVC_ROOT": "."}, {"a@b": 2.0}),
        ({"DVC_STAGE": "a@b", "DVC_ROOT": ".", "RANK": "0"}, {"a@b": 2.0}),
        ({"DVC_STAGE": "a@b", "DVC_ROOT": ".", "RANK": "1"}, {}),
        ({"DVC_STAGE": "a@b", "DVC_ROOT": "file"}, {}),
    ],
)
def test_the_command_of_a_stage_records_itself_once(tmp_path, monkeypatch, environment, recorded):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    for name in ("DVC_STAGE", "DVC_ROOT", "RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    record_own_duration(2.0)
    assert read_durations(tmp_path) == recorded


STAGES = """
stages:
  good: {cmd: python -m pipeline params --settings params.yaml --profiles profiles.json --corrections corrections
         --resolved good.json, deps: [params.yaml], outs: [good.json]}
  bad: {cmd: python -m pipeline params --settings absent --profiles profiles.json --corrections corrections
        --resolved bad.json, outs: [bad.json]}
"""


def test_dvc_alone_times_the_stages_that_succeed(tmp_path):
    settings = (ROOT / "params.yaml").read_text(encoding="utf-8")
    project = Project(tmp_path, {"dvc.yaml": STAGES, "params.yaml": settings, "profiles.json": "{}"})
    (tmp_path / "corrections").mkdir()
    project.run("dvc", "repro", "--keep-going", code=255)
    assert {*read_durations(tmp_path)} == {"good"}
    project.run("dvc", "repro", "good")
    assert len((tmp_path / DURATIONS_FILE).read_text().splitlines()) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
LINES = st.lists(JSON | st.fixed_dictionaries({"stage": JSON, "seconds": JSON}), max_size=5)
DEEP = "[" * 100_000 + "]" * 100_000


@given(st.binary() | LINES.map(lambda lines: "\n".join(map(json.dumps, lines)).encode()) | st.just(DEEP.encode()))
def test_no_damage_stops_a_plan(tmp_path_factory, damage):
    root = tmp_path_factory.mktemp("root")
    (root / DURATIONS_FILE).parent.mkdir(parents=True)
    (root / DURATIONS_FILE).write_bytes(damage)
    assert all(0.0 <= seconds < math.inf for seconds in read_durations(root).values())


@pytest.mark.parametrize(
    ("stage", "seconds"),
    [
        ("trial@a-round0-1", 10.0),
        ("trial@a-round7-3", 15.0),  # the mean of its repeats
        ("rung@a-round7-rung1-3", 5.0),
        ("rung@a-round7-rung2-3", None),
        ("confirm@a-first-9", 30.0),
        ("confirm@a-second-9", None),
        ("finetune@b", None),
        ("study@a-arm-32-5", 7.0),
        ("study@a-arm-64-5", None),
    ],
)
def test_a_stage_that_was_never_timed_takes_as_long_as_its_repeats(stage, seconds):
    durations = {
        "trial@a-round0-1": 10.0, "trial@a-round1-2": 20.0, "trial@a2-round0-1": 99.0, "confirm@a-first-1": 30.0,
        "finetune@a": 50.0, "rung@a-round0-rung1-1": 13.0, "rung@a-round0-rung1-2": 1.0, "rung@a-round1-rung1-4": 1.0,
        "study@a-arm-32-1": 7.0,
    }  # fmt: skip
    assert estimate_seconds(durations, stage) == seconds
