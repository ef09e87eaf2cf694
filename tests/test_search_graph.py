"""The stages of a search as its profile has them, under real DVC, with commands that only copy what they depend on."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.repository.durations import record_duration
from pipeline.settings.parse import parse_params
from pipeline.settings.search.sections import SEARCH_STAGES
from tests.given.projects import Project
from tests.given.searches import HALVING, SPACE, list_rounds
from tests.given.settings import dump, resolve_params, with_profiles

FOLDER = "data/search/${item.task}"
COPIES = {
    # what the stage itself leaves out: a row of the test split
    "withhold": "mkdir -p data/search/${key}/start && grep -v test data/tokens/${key}.arrow "
    "> data/search/${key}/start/tokens.arrow",
    # a slot's proposal follows from the round and its slot alone, unlike the history beside it
    "propose": f"mkdir -p {FOLDER}/${{item.round.round}}/proposals && cd {FOLDER}/${{item.round.round}}/proposals && "
    "cat $(find ../../${item.round.after} -type f | sort) > history.json && "
    "for slot in 1 2 3; do echo ${item.round.round} $slot > $slot.json; done",
    "trial": f"mkdir -p {FOLDER}/${{item.round.round}}/trials && "
    f"cat {FOLDER}/${{item.round.round}}/proposals/${{item.slot}}.json {FOLDER}/start/* "
    f"> {FOLDER}/${{item.round.round}}/trials/${{item.slot}}.json",
    "finalists": "mkdir -p data/search/${key}/finalists && cd data/search/${key}/finalists && "
    "for name in default first second third; do echo $name > $name.json; done",
    "confirm": f"mkdir -p {FOLDER}/confirm && cat {FOLDER}/finalists/${{item.candidate}}.json data/tokens/*.arrow | "
    f"tee {FOLDER}/confirm/${{item.candidate}}-${{item.seed}}.json > {FOLDER}/confirm/"
    "${item.candidate}-${item.seed}.parquet",
    "search": "mkdir -p data/searched && cd data/search/${key} && cat confirm/* ${search.rounds[-1].round}/*/*.json | "
    "(cd ../../.. && tee data/searched/${key}.html > data/searched/${key}.json)",
}
ROUND = f"{FOLDER}/${{item.round.round}}"
CHECKPOINT = f"{FOLDER}/checkpoints/${{item.round.round}}"
PARTS = {
    "trial": f"{COPIES['trial']} && mkdir -p {CHECKPOINT}/trials/${{item.slot}} && "
    f"cp {ROUND}/trials/${{item.slot}}.json {CHECKPOINT}/trials/${{item.slot}}/file",
    # only of slot 1 goes on what it has so far
    "halve": f"mkdir -p {ROUND}/kept/${{item.rung.rung}} && cd {ROUND}/kept/${{item.rung.rung}} && "
    "cp ../../${item.rung.after}/1.json . && for slot in 2 3; do echo null > $slot.json; done",
    "rung": f"mkdir -p {ROUND}/${{item.rung.rung}} {CHECKPOINT}/${{item.rung.rung}}/${{item.slot}} && cat "
    f"{ROUND}/kept/${{item.rung.rung}}/${{item.slot}}.json {FOLDER}/start/* "
    f"{CHECKPOINT}/${{item.rung.after}}/${{item.slot}}/file "
    f"| tee {ROUND}/${{item.rung.rung}}/${{item.slot}}.json > {CHECKPOINT}/${{item.rung.rung}}/${{item.slot}}/file",
}

TRAININGS = ("trial", "rung", "confirm")
CODE = dict.fromkeys(SEARCH_STAGES, "0" * 64) | {key: {"text-classification": "0" * 64} for key in TRAININGS}


def settings(**changes: Any) -> str:
    values, _ = parse_params(with_profiles("params.yaml", "search"))
    values["search"] |= {"space": SPACE, "rounds": list_rounds(2), "slots": [1, 2], "seeds": [1], **changes}
    return dump(values)


def lay(project: Project, text: str) -> None:
    project.write("params.yaml", text)
    project.write("data/params.json", json.dumps(resolve_params(text, {})))


def build(folder: Path, text: str, *profiles: str, **copies: str) -> Project:
    """Return a project of the stages of a search, as the profiles have them, in which nothing has run."""
    dvc: dict[str, Any] = YAML(typ="safe", pure=True).load(with_profiles("dvc.yaml", "search", *profiles))
    stages = {name: dvc["stages"][name] for name in SEARCH_STAGES if name in dvc["stages"]}
    for name, command in {**COPIES, **copies}.items():
        stages[name].get("do", stages[name])["cmd"] = command
    files = {
        "dvc.yaml": dump({"params": dvc["params"], "stages": stages}),
        "params.yaml": text,
        "data/params.json": json.dumps(resolve_params(text, {})),
        "data/code.json": json.dumps(CODE),
        "data/tokens/reviews.arrow": "train\nvalidation\ntest a\n",
        "data/raw/minilm/config.json": "{}",
        "pipeline/report/templates/search.html": "",
    }
    return Project(folder, files)


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    root = build(tmp_path_factory.mktemp("search"), settings())
    assert ran(root) == {"withhold@reviews", *rounds(0, 1), *ends()}
    return root


@pytest.fixture(scope="module")
def halved(tmp_path_factory) -> Project:
    root = build(tmp_path_factory.mktemp("halving"), settings(halving=HALVING), "halving", **PARTS)
    assert ran(root) == {"withhold@reviews", *rounds(0, 1), *rungs(0, 1), *ends()}
    return root


def ran(project: Project, *targets: str) -> set[str]:
    return set(re.findall(r"Running stage '([^']+)'", project.run("dvc", "repro", *targets)))


def rounds(*indices: int, slots: tuple[int, ...] = (1, 2)) -> set[str]:
    trials = {f"trial@reviews-round{index}-{slot}" for index in indices for slot in slots}
    return trials | {f"propose@reviews-round{index}" for index in indices}


def rungs(*indices: int) -> set[str]:
    names = {f"reviews-round{index}-rung{rung}" for index in indices for rung in (0, 1)}
    return {f"halve@{name}" for name in names} | {f"rung@{name}-{slot}" for name in names for slot in (1, 2)}


def ends() -> set[str]:
    candidates = {f"confirm@reviews-{name}-1" for name in ("default", "first", "second", "third")}
    return {"finalists@reviews", "search@reviews", *candidates}


def planned(project: Project) -> dict[str, dict[str, Any]]:
    steps = json.loads(project.run("python", "-m", "pipeline", "plan", "--json", code=1))
    return {step["name"]: step for step in steps if step["verdict"] != "unchanged"}


def test_other_test_rows_and_a_comment_run_no_trial(project):
    project.write("data/tokens/reviews.arrow", "train\nvalidation\ntest b\n")
    lay(project, f"# a comment\n{settings()}")
    assert ran(project) == {"withhold@reviews", *(name for name in ends() if "confirm" in name), "search@reviews"}


def test_values_that_were_adopted_run_nothing_of_the_search(project):
    values, _ = parse_params(settings())
    own = values["tasks"]["reviews"]["finetune"]
    values["search"]["tasks"]["reviews"]["default"] = {"batch_size": own["batch_size"]}
    own["batch_size"] = 8
    lay(project, dump(values))
    assert ran(project) == set()


def test_one_more_round_runs_its_own_trials_alone(project):
    lay(project, settings(rounds=list_rounds(3)))
    for slot in (1, 2):
        record_duration(project.root, f"trial@reviews-round0-{slot}", 40.0)
    plan = planned(project)
    assert plan["trial@reviews-round2-1"]["seconds"] == 40.0
    assert {name for name in plan if plan[name]["verdict"] == "run"} == {
        *rounds(2),
        "finalists@reviews",
        "search@reviews",
    }
    assert ran(project) == {*rounds(2), "finalists@reviews", "search@reviews"}
    lay(project, settings())
    assert ran(project) <= {"finalists@reviews", "search@reviews"}


def test_a_changed_bound_runs_the_trials_of_other_values_alone(project):
    space = {**SPACE, "layer_decay": {"low": 0.8, "high": 1.0}}
    lay(project, settings(space=space))
    assert ran(project) == {"propose@reviews-round0", "propose@reviews-round1", "finalists@reviews", "search@reviews"}


RUNGS_OF_ROUND_2 = ("rung@reviews-round2-rung0", "rung@reviews-round2-rung1")


def test_with_rungs_other_test_rows_run_no_part_of_a_trial(halved):
    halved.write("data/tokens/reviews.arrow", "train\nvalidation\ntest b\n")
    assert ran(halved) == {"withhold@reviews", *(name for name in ends() if "confirm" in name), "search@reviews"}


def test_with_rungs_one_more_round_runs_its_own_parts_alone_and_its_time_is_known(halved):
    lay(halved, settings(rounds=list_rounds(3), halving=HALVING))
    for name, seconds in (("trial@reviews-round0-1", 10.0), ("rung@reviews-round0-rung0-1", 8.0),
                          ("rung@reviews-round0-rung0-2", 2.0), ("rung@reviews-round1-rung1-1", 20.0)):  # fmt: skip
        record_duration(halved.root, name, seconds)
    plan = planned(halved)
    wanted = {*rounds(2), *rungs(2), "finalists@reviews", "search@reviews"}
    assert {name for name in plan if plan[name]["verdict"] == "run"} == wanted
    times = [plan[f"{name}-1"]["seconds"] for name in ("trial@reviews-round2", *RUNGS_OF_ROUND_2)]
    assert times == [10.0, 5.0, 20.0]
    assert ran(halved) == wanted
    lay(halved, settings(halving=HALVING))
    assert ran(halved) <= {"finalists@reviews", "search@reviews"}


def test_another_share_trains_no_trial_again_that_went_on_before(halved):
    share = {**HALVING, "share": 0.4}
    lay(halved, settings(halving=share))
    assert ran(halved) == {name for name in rungs(0, 1) if name.startswith("halve")}
