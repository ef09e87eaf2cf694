import re
from pathlib import Path

import pytest
from dvc.utils.serialize import parse_yaml
from ruamel.yaml import YAML

from pipeline.core.errors import EnvironmentFault, UsageError
from pipeline.settings.overlay import edit_yaml, overlay_params, overlay_project, overlay_stages
from pipeline.settings.parse import parse_params
from tests.given.settings import read, resolve_params, study_params, study_stages

TEXT = read("params.yaml")
SMALL = read("profiles/small/params.yaml")
NAMES = sorted(path.name for path in Path("profiles").iterdir())


def check(text: str) -> None:
    resolve_params(text, {})


# ------------------------------------------------------------------------------------------------ for every task
def test_what_the_overlay_says_holds_for_every_task():
    resolved = resolve_params(overlay_params(TEXT, SMALL), {})
    wanted, before = parse_params(SMALL)[0], resolve_params(TEXT, {})
    for stage, section in resolved.items():
        for name in section if stage in wanted else ():
            assert section[name] == before[stage][name] | wanted[stage]
        assert stage in wanted or section == before[stage]


def test_what_the_two_revisions_have_apart_they_keep():
    other = TEXT.replace("      epochs: 3\n", "      epochs: 4\n")
    for mine, theirs, epochs in ((TEXT, other, 3), (other, TEXT, 4)):
        resolved = resolve_params(overlay_params(mine, SMALL, theirs), {})
        assert resolved["finetune"]["questions"]["epochs"] == epochs
        assert resolved["finetune"]["reviews"]["epochs"] == 1  # as it was
        assert resolved["finetune"]["reviews"]["evaluations"] == 1  # as the overlay has it
        assert resolved["tokenize"]["questions"]["max_length"] == 64


def test_values_of_other_sections_are_kept_apart_too():
    other = TEXT.replace("title: Transferline", "title: Theirs")
    profile = "report: {title: Profile, worst: 3}"
    assert parse_params(overlay_params(TEXT, profile, other))[0]["report"] == {"title": "Transferline", "worst": 3}
    assert parse_params(overlay_params(TEXT, profile, TEXT))[0]["report"] == {"title": "Profile", "worst": 3}


def test_a_task_that_is_new_hides_nothing():
    other = TEXT[: TEXT.index("  spam:\n")]
    assert overlay_params(TEXT, SMALL, other) == overlay_params(TEXT, SMALL)


@pytest.mark.parametrize("task", ["{<<: *one}", "{finetune: *f}", "{<<: [*one, {tokenize: {max_length: 9}}]}", "*one"])
def test_a_map_that_several_tasks_share_is_overlaid_once(task):
    text = f"finetune: &f {{epochs: 3, seed: 1}}\ntasks:\n  a: &one\n    finetune: {{epochs: 4}}\n  b: {task}\n"
    values = parse_params(overlay_params(text, "finetune: {epochs: 1}"))[0]
    assert values["finetune"] == {"seed": 1, "epochs": 1}
    assert values["tasks"]["a"] == {"finetune": {}}
    assert values["tasks"]["b"].get("finetune") in ({}, {"seed": 1, "epochs": 1})


def test_a_section_left_empty_is_filled():
    text = "finetune:\nextract: {layer: 1}\n"
    assert parse_params(overlay_params(text, "finetune: {epochs: 1}"))[0]["finetune"] == {"epochs": 1}


def test_a_task_may_differ_from_what_holds_for_all_and_null_is_a_value():
    profile = "finetune: {epochs: 7}\ngates: {accuracy: null}\ntasks: {spam: {finetune: {epochs: 9}}, reviews: null}"
    resolved = resolve_params(overlay_params(TEXT, profile), {})
    assert {task: section["epochs"] for task, section in resolved["finetune"].items()} == {"questions": 7, "spam": 9}
    assert resolved["gates"]["spam"]["accuracy"] is None


# ------------------------------------------------------------------------------------------------ merged
def test_maps_are_merged_and_lists_replaced():
    profile = """
    encoders: {scratch: {steps: 8000}, wide: {base: raw/minilm, hidden_size: 256}}
    study:
      seeds: [7]
      arms:
        wide: {title: wide, encoder: encoder/wide, kind: finetune, initial: pretrained, min_steps: 9, finetune: {}}
    """
    text = study_params()
    wide = overlay_params(text, profile)
    before, after = parse_params(text)[0], parse_params(wide)[0]
    assert after["encoders"]["scratch"] == before["encoders"]["scratch"] | {"steps": 8000}
    assert list(after["encoders"]) == [*before["encoders"], "wide"]
    assert after["study"]["seeds"] == [7]
    assert after["study"]["labels"] == before["study"]["labels"]
    assert after["study"]["arms"].items() >= before["study"]["arms"].items()
    assert {key: after[key] for key in after if key not in ("encoders", "study")} == {
        key: before[key] for key in before if key not in ("encoders", "study")
    }
    assert re.findall("#.*", wide) == re.findall("#.*", text)
    assert "reviews-wide-128-7" in resolve_params(wide, {})["study"]


def test_the_full_study_holds_the_small_one():
    full = overlay_params(study_params(), read("profiles/full/params.yaml"))
    small_study, full_study = (parse_params(text)[0]["study"] for text in (study_params(), full))
    for axis in ("labels", "seeds"):
        assert set(small_study[axis]) <= set(full_study[axis])
    assert len(full_study["seeds"]) >= 3
    small, whole = resolve_params(study_params(), {}), resolve_params(full, {})
    for stage in ("rival", "study", "start"):  # so that each cell of the small study is restored, not run again
        assert small[stage].items() <= whole[stage].items()


def test_what_the_study_suggested_is_asked_of_seeds_it_has_not_seen():
    study, again = (
        resolve_params(overlay_params(study_params(), read(f"profiles/{name}/params.yaml")), {})
        for name in ("full", "confirmation")
    )
    assert again["start"].keys() == {"random", "scratch"}  # a map that the profile calls null is gone
    assert all(study["start"][arm] == of for arm, of in again["start"].items())
    assert study["pretrain"] == again["pretrain"]
    assert not again["study"].keys() & study["study"].keys()


# ------------------------------------------------------------------------------------------------ the text
@pytest.mark.parametrize("name", ["params.yaml", "dvc.yaml"])
def test_an_edit_changes_no_other_byte(name):
    assert edit_yaml(read(name), lambda _: None) == read(name)


@pytest.mark.parametrize("name", NAMES)
def test_all_lines_stay_and_dvc_reads_the_same(name):
    base = TEXT if name in ("small", "pretraining") else study_params()
    text = overlay_params(base, read(f"profiles/{name}/params.yaml"))
    missing = [line for line in base.splitlines() if "#" in line and line.partition("#")[2] not in text]
    assert all(line.startswith("      ") for line in missing)  # a kind's own value of a key that the profile sets
    assert parse_yaml(text, "params.yaml") == parse_params(text)[0]


def test_new_keys_bring_their_comments():
    added = study_params().splitlines()
    for name in ("pretraining", "study"):
        for line in read(f"profiles/{name}/params.yaml").splitlines():
            if " # " in line and line[0] != "#":
                assert line in added


def test_stages_are_merged():
    assert YAML(typ="safe").load(study_stages())["plots"] == YAML(typ="safe").load(read("dvc.yaml"))["plots"]
    before, after = (YAML(typ="safe").load(text)["stages"] for text in (read("dvc.yaml"), study_stages()))
    assert {name: after[name] for name in before if name != "report"} == {
        name: of for name, of in before.items() if name != "report"
    }
    assert after["report"]["deps"] == [*before["report"]["deps"][:-1], *after["report"]["deps"][-3:]]
    assert {key: after["report"][key] for key in ("params", "outs")} == {
        key: before["report"][key] for key in ("params", "outs")
    }
    assert "report" not in YAML(typ="safe").load(overlay_stages(read("dvc.yaml"), "stages: {report: null}"))["stages"]


# ------------------------------------------------------------------------------------------------ a project
@pytest.fixture
def project(tmp_path):
    for name in ("params.yaml", "dvc.yaml"):
        (tmp_path / name).write_text(read(name), encoding="utf-8")
    return tmp_path


def test_a_profile_is_laid_over_both_files(project):
    for name in ("pretraining", "study"):
        changed = overlay_project(project, Path("profiles", name), check)
    assert changed == [project / "params.yaml", project / "dvc.yaml"]
    assert [path.read_text(encoding="utf-8") for path in changed] == [study_params(), study_stages()]
    assert overlay_project(project, Path("profiles/full"), check) == [project / "params.yaml"]
    assert (project / "dvc.yaml").read_text(encoding="utf-8") == study_stages()


@pytest.mark.parametrize("text", ["- a", "a: [", "finetune: 3", "finetune: {epochs: 0}", "tasks: {x: {}}"])
def test_nothing_is_written_of_a_profile_that_is_wrong(project, text):
    profile = project / "mine"
    profile.mkdir()
    (profile / "params.yaml").write_text(text)
    (profile / "dvc.yaml").write_text("stages: {report: null}")
    with pytest.raises(UsageError, match="mine"):
        overlay_project(project, profile, check)
    for name in ("params.yaml", "dvc.yaml"):
        assert (project / name).read_text(encoding="utf-8") == read(name)


def test_a_folder_without_either_file_is_no_profile(project):
    with pytest.raises(EnvironmentFault, match="nothing"):
        overlay_project(project, project / "nothing", check)
