"""docs/study.md and its figures are what docs/study.json renders, and `make study` makes them."""

import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
from dvc.utils.serialize import parse_yaml

from benchmarks.study import (
    collect,
    overlay,
    render_figures,
    render_page,
    reproduce,
    standalone_svg,
    update_clone,
    write_documents,
)
from pipeline.core.errors import UsageError
from pipeline.core.files import read_json, write_json
from pipeline.report.charts.study import draw_study
from pipeline.repository.durations import record_duration
from pipeline.settings.parse import parse_params
from pipeline.settings.resolve import resolve_params
from tests.given.projects import Project
from tests.given.reporting import pretraining
from tests.given.studies import make_study, params

DOCS = Path("docs")


def timed() -> dict:
    study = make_study()
    for task in study["tasks"]:
        for arm in task["arms"]:
            for point in arm["points"]:
                point["seconds"] = 12.3 if arm["encoder"] else None
    known = {"made": "2026-11-25, a machine", "profile": "benchmarks/study.yaml"}
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
    assert "--arm0" in text
    assert "svg .band" in text


def test_the_full_profile_is_valid_and_holds_the_small_one():
    text = Path("params.yaml").read_text(encoding="utf-8")
    full = overlay(text, Path("benchmarks/study.yaml").read_text(encoding="utf-8"))
    assert parse_yaml(full, "params.yaml") == parse_params(full)[0]  # DVC reads the same
    small_study, full_study = (parse_params(profile)[0]["study"] for profile in (text, full))
    for axis in ("labels", "seeds"):
        assert set(small_study[axis]) <= set(full_study[axis])
    assert len(full_study["seeds"]) >= 3
    small, whole = resolve_params(text, {}), resolve_params(full, {})
    for stage in ("rival", "study"):  # so that each cell of the small study is restored, not run again
        assert small[stage].items() <= whole[stage].items()
    assert small["start"].items() <= whole["start"].items()


def test_a_profile_is_merged_deep_and_names_what_is_new():
    text = Path("params.yaml").read_text(encoding="utf-8")
    profile = """
    encoders: {scratch: {steps: 8000}, wide: {base: raw/minilm, hidden_size: 256}}
    study:
      seeds: [7]
      arms:
        wide: {title: wide, encoder: encoder/wide, kind: finetune, initial: pretrained, min_steps: 9, finetune: {}}
    """
    full = overlay(text, profile)
    before, after = parse_params(text)[0], parse_params(full)[0]
    assert after["encoders"]["scratch"] == before["encoders"]["scratch"] | {"steps": 8000}
    assert list(after["encoders"]) == [*before["encoders"], "wide"]
    assert after["encoders"]["adapted"] == before["encoders"]["adapted"]
    assert after["study"]["seeds"] == [7]
    assert after["study"]["labels"] == before["study"]["labels"]
    assert after["study"]["arms"].items() >= before["study"]["arms"].items()
    assert {key: after[key] for key in after if key not in ("encoders", "study")} == {
        key: before[key] for key in before if key not in ("encoders", "study")
    }
    assert re.findall("#.*", full) == re.findall("#.*", text)
    assert "reviews-wide-128-7" in resolve_params(full, {})["study"]


def test_what_the_study_suggested_is_asked_of_seeds_it_has_not_seen():
    text = Path("params.yaml").read_text(encoding="utf-8")
    study, again = (
        resolve_params(overlay(text, Path(f"benchmarks/{name}.yaml").read_text(encoding="utf-8")), {})
        for name in ("study", "confirmation")
    )
    assert again["start"].keys() == {"random", "scratch"}  # a map that the profile calls null is gone
    assert all(study["start"][arm] == of for arm, of in again["start"].items())
    assert study["pretrain"] == again["pretrain"]
    assert not again["study"].keys() & study["study"].keys()


def test_a_profile_that_is_no_map_is_refused():
    with pytest.raises(UsageError, match="a map of sections"):
        overlay(Path("params.yaml").read_text(encoding="utf-8"), "- labels")


def test_seconds_are_the_median_over_the_seeds_that_were_timed(tmp_path):
    study = params(labels=(32, 128), seeds=(0, 1, 2))
    write_json(tmp_path / "data/params.json", {"transfer": study.model_dump(mode="json")})
    write_json(tmp_path / "data/transfer.json", make_study(labels=(32, 128), seeds=(0, 1, 2)))
    for name in ("adapted", "scratch", "of-no-arm"):
        write_json(tmp_path / f"data/pretraining/{name}.json", pretraining(name))
    for stage, seconds in (("study@reviews-probe-32-0", 3.0), ("study@reviews-probe-32-1", 5.0),
                           ("study@reviews-probe-32-2", 70.0), ("rival@reviews-tfidf-128-0", 2.0)):  # fmt: skip
        record_duration(tmp_path, stage, seconds)
    document = collect(tmp_path, "now", "some.yaml")
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
    reproduce(root)
    assert "Running stage 'first'" in capfd.readouterr().out
    reproduce(root)
    assert "Running stage" not in capfd.readouterr().out


def test_a_stage_that_fails_ends_the_run(tmp_path):
    root = Project(tmp_path / "project", {"dvc.yaml": ECHOES.replace("echo 2 >", "false >")}).root
    with pytest.raises(subprocess.CalledProcessError):
        reproduce(root)
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
