from pathlib import Path

import pytest
from dvc.utils.serialize import parse_yaml

from pipeline.core.errors import UsageError
from pipeline.settings.overlay import overlaid
from pipeline.settings.resolve import parse, resolve

TEXT = Path("params.yaml").read_text(encoding="utf-8")
SMALL = Path(".github/small.yaml").read_text(encoding="utf-8")


def test_what_the_overlay_says_holds_for_every_task():
    found = resolve(overlaid(TEXT, SMALL, TEXT), {})
    wanted, before = parse(SMALL)[0], resolve(TEXT, {})
    for stage, section in found.items():
        for name in section if stage in wanted else ():
            assert section[name] == before[stage][name] | wanted[stage]
        assert stage in (*wanted, "study") or section == before[stage]  # the study's cells are tasks' too


def test_what_the_two_revisions_have_apart_they_keep():
    other = TEXT.replace("      epochs: 3\n", "      epochs: 4\n")
    for mine, theirs, epochs in ((TEXT, other, 3), (other, TEXT, 4)):
        found = resolve(overlaid(mine, SMALL, theirs), {})
        assert found["finetune"]["questions"]["epochs"] == epochs
        assert found["finetune"]["reviews"]["epochs"] == 1  # as it was
        assert found["finetune"]["reviews"]["evaluations"] == 1  # as the overlay has it
        assert found["tokenize"]["questions"]["max_length"] == 64


def test_a_task_that_is_new_hides_nothing():
    other = TEXT[: TEXT.index("  spam:\n")]
    assert overlaid(TEXT, SMALL, other) == overlaid(TEXT, SMALL, TEXT)


def test_comments_stay_and_dvc_reads_the_same():
    found = overlaid(TEXT, SMALL, TEXT)
    assert "# passes over the train split" in found
    assert parse_yaml(found, "params.yaml") == parse(found)[0]


@pytest.mark.parametrize("small", ["tasks: {}", "finetune: 3", "fetch: {timeout: 1}", "- a"])
def test_an_overlay_is_of_stages_with_params_of_their_own(small):
    with pytest.raises(UsageError):
        overlaid(TEXT, small, TEXT)
