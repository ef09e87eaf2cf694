from pathlib import Path

import pytest

from pipeline.core.errors import UsageError
from pipeline.settings.resolve import parse, resolve
from tests.given.settings import dump

TEXT = Path("params.yaml").read_text(encoding="utf-8")


def changed(**study):
    values, _ = parse(TEXT)
    values["study"] |= study
    return dump(values)


def refused(**study):
    with pytest.raises(UsageError) as caught:
        resolve(changed(**study), {})
    return str(caught.value)


def test_a_cell_is_named_by_task_arm_labels_and_seed():
    found = resolve(changed(tasks=["reviews", "spam"], labels=[64, "all"], seeds=[3]), {})
    assert list(found["rival"])[:3] == ["reviews-majority-64-3", "reviews-majority-all-3", "reviews-tfidf-64-3"]
    assert len(found["study"]) == 2 * 5 * 2
    cell = found["study"]["spam-random-all-3"]
    assert (cell["task"], cell["arm"], cell["labels"], cell["seed"]) == ("spam", "random", "all", 3)
    assert cell["finetune"]["seed"] == 3
    assert cell["probe"] is None


def test_an_arm_overrides_the_study_and_that_the_common_section():
    values, _ = parse(TEXT)
    found = resolve(TEXT, {})["study"]
    arm = values["study"]["arms"]["random"]["finetune"]
    cell = found["reviews-random-128-0"]["finetune"]
    assert cell["learning_rate"] == arm["learning_rate"]
    assert cell["batch_size"] == values["study"]["finetune"]["batch_size"]
    assert cell["weight_decay"] == values["finetune"]["weight_decay"]
    assert found["reviews-probe-128-0"]["finetune"] is None
    assert found["reviews-probe-128-0"]["probe"]["probe_strengths"] == values["baseline"]["probe_strengths"]


def test_a_change_of_one_arm_changes_the_sections_of_its_cells_alone():
    before, values = resolve(TEXT, {}), parse(TEXT)[0]
    values["study"]["arms"]["adapted"]["finetune"] = {"learning_rate": 1e-4}
    after = resolve(dump(values), {})
    different = {name for name in after["study"] if after["study"][name] != before["study"][name]}
    assert different == {name for name in after["study"] if "-adapted-" in name}
    assert {key for key in after if after[key] != before[key]} == {"study"}


def test_majority_depends_on_no_parameter_of_the_baseline():
    found = resolve(TEXT, {})["rival"]
    assert found["reviews-majority-128-0"]["baseline"] is None
    assert found["reviews-tfidf-128-0"]["baseline"]["min_df"] == 1


ARMS = parse(TEXT)[0]["study"]["arms"]


@pytest.mark.parametrize(
    ("study", "words"),
    [
        ({"labels": [512, 128]}, "`labels` must rise, `all` last; found [512, 128]"),
        ({"labels": ["all", 128]}, "must rise"),
        ({"labels": [128, 128]}, "`labels` has 128 twice"),
        ({"labels": [1]}, "greater than or equal to 2"),
        ({"labels": ["some"]}, "study.labels.0"),
        ({"seeds": [0, 0]}, "`seeds` has 0 twice"),
        ({"seeds": []}, "study.seeds"),
        ({"tasks": ["review"]}, "study.tasks: unknown task; did you mean `reviews`?"),
        ({"rivals": {"forest": {"title": "t", "baseline": {}}}}, "`rivals` has 'forest'; allowed: majority, tfidf"),
        ({"comparisons": [["scratch", "scratch"]]}, "`comparisons` has ['scratch', 'scratch']"),
        ({"comparisons": [["scratch", "nothing"]]}, "it takes two different names of majority, tfidf, random"),
        ({"comparisons": [["scratch", "random"]] * 2}, "`comparisons` has ['scratch', 'random'] twice"),
        ({"arms": {**ARMS, "probe": ARMS["probe"] | {"encoder": "raw/minlim"}}},
         "study.arms.probe.encoder: unknown encoder; did you mean `raw/minilm`?"),
        ({"arms": {**ARMS, "random": ARMS["random"] | {"finetune": {"freeze_embeddings": True}}}},
         "study.arms.random.finetune.freeze_embeddings: found True, and `initial` is random"),
        ({"arms": {**ARMS, "random": ARMS["random"] | {"finetune": {}}}}, "set false"),  # frozen for all
        ({"arms": {**ARMS, "random": ARMS["random"] | {"finetune": {"freeze_embeddings": False, "lora": 4}}}},
         "study.arms.random.finetune.lora: found 4"),
        ({"arms": {**ARMS, "Bad Name": ARMS["probe"]}}, "study.arms.Bad Name"),
        ({"arms": {**ARMS, "tfidf": ARMS["probe"]}}, "'tfidf' twice"),
        ({"arms": {**ARMS, "probe": ARMS["probe"] | {"initial": "random"}}}, "a probe trains no encoder"),
        ({"arms": {**ARMS, "probe": ARMS["probe"] | {"encoder": "../x"}}}, "study.arms.probe.encoder"),
        ({"arms": {**ARMS, "probe": ARMS["probe"] | {"kind": "prob"}}}, "study.arms.probe.kind: found 'prob'"),
        ({"arms": {**ARMS, "probe": ARMS["probe"] | {"min_steps": 9}}}, "a probe trains no encoder"),
        ({"label": [3]}, "study.label: unknown key; did you mean `labels`?"),
        ({"finetune": {"learning_rat": 1.0}}, "did you mean `learning_rate`?"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(study, words):
    assert words in refused(**study)


def test_two_cells_of_one_name_are_refused():
    values, _ = parse(TEXT)
    values["tasks"]["reviews-a"] = values["tasks"]["reviews"]
    values["study"] |= {
        "tasks": ["reviews", "reviews-a"],
        "arms": {"b": ARMS["probe"], "a-b": ARMS["probe"]},
        "comparisons": [],
    }
    with pytest.raises(UsageError, match="'reviews-a-b-32-0' twice"):
        resolve(dump(values), {})
