from pathlib import Path

import pytest
from dvc.utils.serialize import parse_yaml

from pipeline.core.errors import UsageError
from pipeline.settings.overlay import overlay_params
from pipeline.settings.parse import parse_params
from pipeline.settings.resolve import resolve_params

TEXT = Path("params.yaml").read_text(encoding="utf-8")
SMALL = Path(".github/small.yaml").read_text(encoding="utf-8")


def test_what_the_overlay_says_holds_for_every_task():
    resolved = resolve_params(overlay_params(TEXT, SMALL, TEXT), {})
    wanted, before = parse_params(SMALL)[0], resolve_params(TEXT, {})
    for stage, section in resolved.items():
        for name in section if stage in wanted else ():
            assert section[name] == before[stage][name] | wanted[stage]
        assert stage in (*wanted, "study") or section == before[stage]  # the study's cells are tasks' too


def test_what_the_two_revisions_have_apart_they_keep():
    other = TEXT.replace("      epochs: 3\n", "      epochs: 4\n")
    for mine, theirs, epochs in ((TEXT, other, 3), (other, TEXT, 4)):
        resolved = resolve_params(overlay_params(mine, SMALL, theirs), {})
        assert resolved["finetune"]["questions"]["epochs"] == epochs
        assert resolved["finetune"]["reviews"]["epochs"] == 1  # as it was
        assert resolved["finetune"]["reviews"]["evaluations"] == 1  # as the overlay has it
        assert resolved["tokenize"]["questions"]["max_length"] == 64


def test_a_task_that_is_new_hides_nothing():
    other = TEXT[: TEXT.index("  spam:\n")]
    assert overlay_params(TEXT, SMALL, other) == overlay_params(TEXT, SMALL, TEXT)


def test_comments_stay_and_dvc_reads_the_same():
    text = overlay_params(TEXT, SMALL, TEXT)
    assert "# passes over the train split" in text
    assert parse_yaml(text, "params.yaml") == parse_params(text)[0]


@pytest.mark.parametrize("task", ["{<<: *one}", "{finetune: *f}", "{<<: [*one, {tokenize: {max_length: 9}}]}", "*one"])
def test_a_map_that_several_tasks_share_is_overlaid_once(task):
    text = f"finetune: &f {{epochs: 3, seed: 1}}\ntasks:\n  a: &one\n    finetune: {{epochs: 4}}\n  b: {task}\n"
    values = parse_params(overlay_params(text, "finetune: {epochs: 1}", text))[0]
    assert values["finetune"] == {"seed": 1, "epochs": 1}
    assert values["tasks"]["a"] == {"finetune": {}}
    assert values["tasks"]["b"].get("finetune") in ({}, {"seed": 1, "epochs": 1})


def test_a_section_left_empty_is_filled():
    text = "finetune:\nextract: {layer: 1}\n"
    assert parse_params(overlay_params(text, "finetune: {epochs: 1}", text))[0]["finetune"] == {"epochs": 1}


@pytest.mark.parametrize("small", ["tasks: {}", "finetune: 3", "fetch: {timeout: 1}", "- a"])
def test_an_overlay_is_of_stages_with_params_of_their_own(small):
    with pytest.raises(UsageError):
        overlay_params(TEXT, small, TEXT)
