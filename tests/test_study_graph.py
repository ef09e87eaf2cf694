"""The study's stages as its profile has them, under real DVC, with commands that only copy what they depend on."""

import json
import re
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.settings.parse import parse_params
from tests.given.projects import Project
from tests.given.settings import dump, resolve_params, study_params, study_stages

STAGES = ("rival", "start", "study", "transfer")
COPIES = {
    "rival": "mkdir -p data/study && cat data/examples/${item.task}.parquet | "
    "tee data/study/${key}.parquet > data/study/${key}.json",
    # what the stage itself copies for the arm `random`: the shape alone
    "start": "mkdir -p data/start/${key} && cp data/${item.encoder}/config.json data/start/${key} && "
    "(test ${key} = random || cp data/${item.encoder}/model.safetensors data/start/${key})",
    "study": "mkdir -p data/study && cat data/start/${item.arm}/* | "
    "tee data/study/${key}.parquet > data/study/${key}.json",
    "transfer": "cat data/study/*.json > data/transfer.json; cp data/transfer.json data/transfer.csv",
}
ARMS = ("random", "scratch", "probe", "pretrained", "adapted")

KIND = "text-classification"


def settings() -> str:
    values, _ = parse_params(study_params())
    values["study"] |= {"tasks": ["reviews"], "labels": [8], "seeds": [0]}
    return dump(values)


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    dvc: dict[str, Any] = YAML(typ="safe", pure=True).load(study_stages())
    stages = {name: dvc["stages"][name] for name in STAGES}
    for name, command in COPIES.items():
        stages[name].get("do", stages[name])["cmd"] = command
    encoders = {
        f"data/{folder}/{file}": f"{folder} {file}"
        for folder in ("raw/minilm", "encoder/scratch", "encoder/adapted")
        for file in ("config.json", "model.safetensors")
    }
    files = {
        "dvc.yaml": dump({"params": dvc["params"], "stages": stages}),
        "params.yaml": settings(),
        "data/params.json": json.dumps(resolve_params(settings(), {})),
        "data/code.json": json.dumps(
            dict.fromkeys(STAGES, "0" * 64) | {stage: {KIND: "0" * 64} for stage in ("rival", "study")}
        ),
        "data/examples/reviews.parquet": "texts",
        "data/findings/reviews.json": "{}",
        **encoders,
    }
    root = Project(tmp_path_factory.mktemp("study"), files)
    assert ran(root) == {*rivals(), *starts(*ARMS), *cells(*ARMS), "transfer"}
    return root


def ran(project: Project) -> set[str]:
    output = project.run("dvc", "repro")
    assert "is cached - skipping run" not in output
    return set(re.findall(r"Running stage '([^']+)'", output))


def planned(project: Project) -> dict[str, str]:
    text = project.run("python", "-m", "pipeline", "plan", "--json", code=1)
    return {step["name"]: step["verdict"] for step in json.loads(text) if step["verdict"] != "unchanged"}


def starts(*arms: str) -> set[str]:
    return {f"start@{arm}" for arm in arms}


def cells(*arms: str) -> set[str]:
    return {f"study@reviews-{arm}-8-0" for arm in arms}


def rivals(*names: str) -> set[str]:
    return {f"rival@reviews-{name}-8-0" for name in names or ("majority", "tfidf")}


def test_nothing_changed_runs_nothing(project):
    assert ran(project) == set()


def test_another_encoder_runs_the_cells_of_its_arm_alone_and_the_plan_foresees_it(project):
    project.write("data/encoder/adapted/model.safetensors", "longer pretraining")
    plan = planned(project)
    assert plan["start@adapted"] == "run"
    assert set(plan) == {*starts("adapted"), *cells("adapted"), "transfer"}
    assert ran(project) == set(plan)


def test_other_pretrained_weights_run_no_random_arm(project):
    project.write("data/encoder/scratch/model.safetensors", "other weights")
    assert ran(project) == {*starts("random", "scratch"), *cells("scratch"), "transfer"}


def test_another_shape_runs_the_random_arm_too(project):
    project.write("data/encoder/scratch/config.json", "wider")
    assert ran(project) == {*starts("random", "scratch"), *cells("random", "scratch"), "transfer"}


def test_an_encoder_of_several_arms_runs_all_of_them(project):
    project.write("data/raw/minilm/model.safetensors", "another release")
    assert ran(project) == {*starts("probe", "pretrained"), *cells("probe", "pretrained"), "transfer"}


def test_another_text_runs_every_cell_and_no_start(project):
    project.write("data/examples/reviews.parquet", "other texts")
    # the commands here copy nothing of the texts but for rivals, so that cells give the same bytes again
    assert ran(project) == {*rivals(), *cells(*ARMS), "transfer"}


def test_the_parameters_of_one_arm_run_its_cells_alone(project):
    values = json.loads(project.read("data/params.json"))
    for name, cell in values["study"].items():
        if "-pretrained-" in name:
            cell["finetune"]["learning_rate"] = 1e-5
    project.write("data/params.json", json.dumps(values))
    assert ran(project) == cells("pretrained")
