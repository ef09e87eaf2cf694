"""docs/study.md and its figures are what docs/study.json renders, and `make study` makes them."""

import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.study import (
    BASE,
    collect,
    lay_profiles,
    render_figures,
    render_page,
    reproduce,
    standalone_svg,
    update_clone,
    write_documents,
)
from pipeline.core.files import read_json, write_json
from pipeline.report.charts.study import draw_study
from pipeline.repository.durations import record_duration
from pipeline.settings.parse import parse_params
from tests.given.projects import Project
from tests.given.reporting import pretraining
from tests.given.settings import read, study_stages
from tests.given.studies import make_study, params

DOCS = Path("docs")


def timed() -> dict:
    study = make_study()
    for task in study["tasks"]:
        for arm in task["arms"]:
            for point in arm["points"]:
                point["seconds"] = 12.3 if arm["encoder"] else None
    known = {"made": "2026-11-25, a machine", "profile": "full"}
    return {**known, **study, "encoders": [pretraining("scratch")]}


@pytest.mark.parametrize("folder", [DOCS, DOCS / "confirmation"])
def test_the_committed_documents_are_what_the_numbers_render(folder):
    study = read_json(folder / "study.json")
    assert (folder / "study.md").read_text(encoding="utf-8") == render_page(study)
    for name, figure in render_figures(study).items():
        assert (folder / name).read_text(encoding="utf-8") == figure


def test_the_documents_are_written_and_render_the_same_from_json(tmp_path):
    write_documents(tmp_path, timed())
    study = read_json(tmp_path / "study.json")
    assert (tmp_path / "study.md").read_text(encoding="utf-8") == render_page(study) == render_page(timed())
    assert (tmp_path / "study.svg").read_text(encoding="utf-8") == render_figures(study)["study.svg"]
    text = render_page(study)
    assert "![Accuracy on reviews by labels](study.svg)" in text
    assert "| MiniLM fine-tuned | 12 s (32,000) | 12 s (128,000)" in text
    assert "| largest class | – (32,000)" in text
    assert "![Held-out perplexity of scratch by step](study-encoder-scratch.svg)" in text
    assert (tmp_path / "study-encoder-scratch.svg").read_text(encoding="utf-8").startswith("<svg")


def test_a_figure_is_xml_with_its_colours():
    text = standalone_svg(draw_study(make_study()["tasks"][0]))
    root = ElementTree.fromstring(text)  # noqa: S314 - made here
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "prefers-color-scheme: dark" in text
    assert "--fourth" in text
    assert "svg .range" in text


def test_a_clone_gets_the_study_and_then_the_profile(tmp_path):
    for name in ("params.yaml", "dvc.yaml", "data/profiles.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(read(name), encoding="utf-8")
    lay_profiles(tmp_path, *BASE, Path("profiles/confirmation"))
    study, _ = parse_params((tmp_path / "params.yaml").read_text(encoding="utf-8"))
    assert study["study"]["labels"] == [128, 512]
    assert (tmp_path / "dvc.yaml").read_text(encoding="utf-8") == study_stages()
    lay_profiles(tmp_path, *BASE, BASE[-1])


def test_seconds_are_the_median_over_the_seeds_that_were_timed(tmp_path):
    study = params(labels=(32, 128), seeds=(0, 1, 2))
    write_json(tmp_path / "data/params.json", {"transfer": study.model_dump(mode="json")})
    write_json(tmp_path / "data/transfer.json", make_study(labels=(32, 128), seeds=(0, 1, 2)))
    for name in ("adapted", "scratch", "of-no-arm"):
        write_json(tmp_path / f"data/pretraining/{name}.json", pretraining(name))
    for stage, seconds in (("study@reviews-probe-32-0", 3.0), ("study@reviews-probe-32-1", 5.0),
                           ("study@reviews-probe-32-2", 70.0), ("rival@reviews-tfidf-128-0", 2.0)):  # fmt: skip
        record_duration(tmp_path, stage, seconds)
    document = collect(tmp_path, "now", "some")
    assert [encoder["encoder"] for encoder in document["encoders"]] == ["adapted", "scratch"]
    arms = {arm["arm"]: arm["points"] for arm in document["tasks"][0]["arms"]}
    assert arms["probe"][0]["seconds"] == 5.0
    assert arms["tfidf"][1]["seconds"] == 2.0
    assert arms["scratch"][0]["seconds"] is None


def test_the_clone_is_of_the_commit_and_shares_the_cache(tmp_path):
    root = Project(tmp_path / "project", {"dvc.yaml": STAGE, "in.txt": "1", ".gitignore": "/out.txt\n"}, git=True)
    root.run("git", "add", "-A")
    root.run("git", "commit", "-q", "-m", "first")
    root.run("dvc", "repro")
    clone = tmp_path / "project/.study"
    root.write(".gitignore", "/out.txt\n/.study\n")
    root.run("git", "add", "-A")
    root.run("git", "commit", "-q", "-m", "ignore")
    update_clone(root.root, clone)
    output = root.run("dvc", "--cd", str(clone), "repro")
    assert "is cached - skipping run" in output or "didn't change" in output
    assert (clone / "out.txt").read_text() == "1"
    (clone / "dvc.lock").write_text("kept")
    root.run("git", "commit", "-q", "--allow-empty", "-m", "second")
    update_clone(root.root, clone)
    assert (clone / "dvc.lock").read_text() == "kept"
    root.write("in.txt", "2")
    with pytest.raises(SystemExit, match="differ from the last commit"):
        update_clone(root.root, clone)


def test_a_run_shows_what_dvc_tells_and_runs_no_stage_again(tmp_path, capfd):
    root = Project(tmp_path / "project", {"dvc.yaml": ECHOES}).root
    reproduce(root, "transfer")
    assert "Running stage 'first'" in capfd.readouterr().out
    reproduce(root, "transfer")
    assert "Running stage" not in capfd.readouterr().out


def test_a_stage_that_fails_ends_the_run(tmp_path):
    root = Project(tmp_path / "project", {"dvc.yaml": ECHOES.replace("echo 2 >", "false >")}).root
    with pytest.raises(subprocess.CalledProcessError):
        reproduce(root, "transfer")
    assert (root / "first.txt").is_file()


ECHOES = """stages:
  first:
    cmd: echo 1 > first.txt
    outs: [first.txt]
  transfer:
    cmd: echo 2 > transfer.txt
    deps: [first.txt]
    outs: [transfer.txt]
"""
STAGE = """stages:
  copy:
    cmd: cp in.txt out.txt
    deps: [in.txt]
    outs: [out.txt]
"""
