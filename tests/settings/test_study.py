import pytest

from pipeline.core.errors import UsageError
from pipeline.settings.parse import parse_params
from tests.given.settings import dump, resolve_params, study_params

TEXT = study_params()


def changed(**study):
    values, _ = parse_params(TEXT)
    values["study"] |= study
    return dump(values)


def refused(**study):
    with pytest.raises(UsageError) as caught:
        resolve_params(changed(**study), {})
    return str(caught.value)


def test_a_cell_is_named_by_task_arm_labels_and_seed():
    resolved = resolve_params(changed(tasks=["reviews", "spam"], labels=[64, "all"], seeds=[3]), {})
    assert list(resolved["rival"])[:3] == ["reviews-majority-64-3", "reviews-majority-all-3", "reviews-tfidf-64-3"]
    assert len(resolved["study"]) == 2 * 5 * 2
    cell = resolved["study"]["spam-random-all-3"]
    assert (cell["task"], cell["arm"], cell["labels"], cell["seed"]) == ("spam", "random", "all", 3)
    assert cell["finetune"]["seed"] == 3
    assert cell["probe"] is None


def test_an_arm_overrides_the_study_and_that_the_common_section():
    values, _ = parse_params(TEXT)
    cells = resolve_params(TEXT, {})["study"]
    arm = values["study"]["arms"]["random"]["finetune"]
    cell = cells["reviews-random-128-0"]["finetune"]
    assert cell["learning_rate"] == arm["learning_rate"]
    assert cell["batch_size"] == values["study"]["finetune"]["batch_size"]
    assert cell["weight_decay"] == values["finetune"]["weight_decay"]
    assert cells["reviews-probe-128-0"]["finetune"] is None
    assert cells["reviews-probe-128-0"]["probe"]["probe_strengths"] == values["baseline"]["probe_strengths"]


def test_a_change_of_one_arm_changes_the_sections_of_its_cells_alone():
    before, values = resolve_params(TEXT, {}), parse_params(TEXT)[0]
    values["study"]["arms"]["adapted"]["finetune"] = {"learning_rate": 1e-4}
    after = resolve_params(dump(values), {})
    different = {name for name in after["study"] if after["study"][name] != before["study"][name]}
    assert different == {name for name in after["study"] if "-adapted-" in name}
    assert {key for key in after if after[key] != before[key]} == {"study"}


def test_majority_depends_on_no_parameter_of_the_baseline():
    rivals = resolve_params(TEXT, {})["rival"]
    assert rivals["reviews-majority-128-0"]["baseline"] is None
    assert rivals["reviews-tfidf-128-0"]["baseline"]["min_df"] == 1


ARMS = parse_params(TEXT)[0]["study"]["arms"]


def arm(name, **values):
    """Return the study's arms, with one of them changed."""
    return {"arms": {**ARMS, name: ARMS[name] | values}}


NO_TRAINING = "study.arms.probe: .. `initial` .. `min_steps` .. `finetune`"


@pytest.mark.parametrize(
    ("study", "facts"),
    [
        ({"labels": [512, 128]}, "`labels` .. [512, 128]"),
        ({"labels": ["all", 128]}, "`labels` .. ['all', 128]"),
        ({"labels": [128, 128]}, "`labels` .. 128 twice"),
        ({"labels": [1]}, "study.labels.0 .. 2, found 1"),
        ({"labels": ["some"]}, "study.labels.0"),
        ({"seeds": [0, 0]}, "`seeds` .. 0 twice"),
        ({"seeds": []}, "study.seeds"),
        ({"tasks": ["review"]}, "study.tasks: .. `reviews`"),
        ({"rivals": {"forest": {"title": "t", "baseline": {}}}}, "`rivals` .. majority, tfidf .. 'forest'"),
        ({"comparisons": [["scratch", "scratch"]]}, "`comparisons` .. ['scratch', 'scratch']"),
        ({"comparisons": [["scratch", "none"]]}, "`comparisons` .. majority, tfidf, random .. ['scratch', 'none']"),
        ({"comparisons": [["scratch", "random"]] * 2}, "`comparisons` .. ['scratch', 'random'] twice"),
        (arm("probe", encoder="raw/minlim"), "study.arms.probe.encoder: .. `raw/minilm`"),
        (
            arm("random", finetune={"freeze_embeddings": True}),
            "study.arms.random.finetune.freeze_embeddings: .. `initial` is random .. True .. false",
        ),
        (arm("random", finetune={}), "finetune.freeze_embeddings: .. True .. false"),
        (
            arm("random", finetune={"freeze_embeddings": False, "lora": 4}),
            "study.arms.random.finetune.lora: .. 4 .. null",
        ),
        ({"arms": {**ARMS, "Bad Name": ARMS["probe"]}}, "study.arms.Bad Name"),
        ({"arms": {**ARMS, "tfidf": ARMS["probe"]}}, "'tfidf' twice"),
        (arm("probe", initial="random"), NO_TRAINING),
        (arm("probe", min_steps=9), NO_TRAINING),
        (arm("probe", encoder="../x"), "study.arms.probe.encoder: .. '../x'"),
        (arm("probe", kind="prob"), "study.arms.probe.kind: .. 'probe' or 'finetune' .. 'prob'"),
        ({"kind": "text-regression"}, "study.kind: .. text-classification .. 'text-regression'"),
        ({"label": [3]}, "study.label: .. `labels`"),
        ({"finetune": {"learning_rat": 1.0}}, "study.finetune.learning_rat: .. `learning_rate`"),
        (
            arm("scratch", finetune={"learning_rat": 1.0}),
            "study.arms.scratch.finetune.learning_rat: .. `learning_rate`",
        ),
    ],
)
def test_an_error_has_its_key_the_value_and_the_fix(study, facts):
    lines = refused(**study).splitlines()
    assert any(all(fact in line for fact in facts.split(" .. ")) for line in lines), lines


def test_two_cells_of_one_name_are_refused():
    values, _ = parse_params(TEXT)
    values["tasks"]["reviews-a"] = values["tasks"]["reviews"]
    values["study"] |= {
        "tasks": ["reviews", "reviews-a"],
        "arms": {"b": ARMS["probe"], "a-b": ARMS["probe"]},
        "comparisons": [],
    }
    with pytest.raises(UsageError, match="'reviews-a-b-32-0' twice"):
        resolve_params(dump(values), {})
