import pytest

from pipeline.core.errors import UsageError
from pipeline.settings.parse import parse_params
from pipeline.settings.search.sections import SEARCH_STAGES
from tests.given.searches import HALVING, list_rounds
from tests.given.settings import dump, resolve_params, with_profiles

TEXT = with_profiles("params.yaml", "search")
PARTS = (("trial", ""), ("rung", "rung0-"), ("rung", "rung1-"))


def changed(text=TEXT, **search):
    values, _ = parse_params(text)
    values["search"] |= search
    return dump(values)


def refused(text):
    with pytest.raises(UsageError) as caught:
        resolve_params(text, {})
    return str(caught.value)


def test_each_stage_of_a_search_has_a_section_by_the_name_of_its_item():
    resolved = resolve_params(changed(rounds=list_rounds(2), slots=[1, 2], seeds=[5]), {})
    assert list(resolved["propose"]) == ["reviews-round0", "reviews-round1"]
    assert list(resolved["trial"]) == [f"reviews-round{index}-{slot}" for index in (0, 1) for slot in (1, 2)]
    assert list(resolved["confirm"]) == [f"reviews-{name}-5" for name in ("default", "first", "second", "third")]
    assert set(SEARCH_STAGES) <= set(resolved)
    assert not set(SEARCH_STAGES) & set(resolve_params(with_profiles("params.yaml"), {}))


def test_a_rung_has_a_section_for_each_slot_and_a_part_of_the_training_each():
    resolved = resolve_params(changed(rounds=list_rounds(2), slots=[1, 2], halving=HALVING), {})
    assert list(resolved["halve"]) == [f"reviews-round{index}-rung{rung}" for index in (0, 1) for rung in (0, 1)]
    assert list(resolved["rung"])[:3] == ["reviews-round0-rung0-1", "reviews-round0-rung0-2", "reviews-round0-rung1-1"]
    untils = [resolved[stage][f"reviews-round1-{part}1"]["until"] for stage, part in PARTS]
    assert untils == [0.25, 0.5, 1.0]
    assert {resolved[stage]["reviews"]["rungs"] for stage in ("finalists", "search")} == {2}


def test_halving_changes_no_last_training():
    stages = {name.partition("@")[0] for name in sections_that_differ(TEXT, changed(halving=HALVING))}
    assert stages == {"propose", "trial", "halve", "rung", "finalists", "search"}


RUNGS = HALVING["rungs"]
EPOCHS = {"low": 1, "high": 2}


@pytest.mark.parametrize(
    ("halving", "words"),
    [
        ({"share": 1.0, "rungs": RUNGS}, "search.halving.share"),
        ({"share": 0.5, "rungs": []}, "search.halving.rungs"),
        ({"share": 0.5, "rungs": RUNGS[1:]}, "count from 0"),
        ({"share": 0.5, "rungs": [RUNGS[0], {**RUNGS[1], "at": 0.25}]}, "`at` must rise"),
        ({"share": 0.5, "rungs": [{**RUNGS[0], "at": 1.0}]}, "at"),
        ({"share": 0.5}, "search.halving"),
    ],
)
def test_rungs_that_do_not_follow_each_other_are_refused(halving, words):
    assert words in refused(changed(halving=halving))


def sections_that_differ(before, after):
    one, two = resolve_params(before, {}), resolve_params(after, {})
    return {
        f"{stage}@{name}" for stage in SEARCH_STAGES for name in two[stage] if one[stage].get(name) != two[stage][name]
    }


def test_one_more_round_changes_no_section_of_those_before_it():
    added = sections_that_differ(changed(rounds=list_rounds(2)), changed(rounds=list_rounds(3)))
    trials = {f"trial@reviews-round2-{slot}" for slot in (1, 2, 3, 4)}
    assert added == {"propose@reviews-round2", *trials, "finalists@reviews", "search@reviews"}


def test_values_that_the_task_adopts_are_no_reason_to_search_again():
    values, _ = parse_params(TEXT)
    values["tasks"]["reviews"]["finetune"] |= {"learning_rate": 7e-4, "batch_size": 8}
    assert sections_that_differ(TEXT, dump(values)) == {"finalists@reviews", "search@reviews"}


CONDITION = {"lora": {"choices": [None, 8]}, "weight_decay": {"low": 0.0, "high": 0.1, "when": {"lora": [8]}}}


def test_what_the_task_had_before_it_adopted_values_stays_the_default_of_its_search():
    before = changed(space={**CONDITION, "learning_rate": {"low": 1e-5, "high": 1e-3}})
    own, _ = parse_params(before)
    section = resolve_params(before, {})["finetune"]["reviews"]
    adopted = {"learning_rate": 7e-4, "lora": 8, "weight_decay": 0.05}
    own["tasks"]["reviews"]["finetune"] |= adopted
    own["search"]["tasks"]["reviews"]["default"] = {key: section[key] for key in adopted}
    assert sections_that_differ(before, dump(own)) == set()
    assert resolve_params(dump(own), {})["finetune"]["reviews"] == {**section, **adopted}


@pytest.mark.parametrize(
    ("default", "key", "words"),
    [({"dropout": 0.1}, "dropout", "unknown key"), ({"epochs": 0}, "epochs", "greater than or equal to 1")],
)
def test_a_default_has_keys_of_the_space_and_values_of_theirs(default, key, words):
    message = refused(changed(tasks={"reviews": {"encoder": "raw/minilm", "space": {}, "default": default}}))
    assert words in message.partition(f"search.tasks.reviews.default.{key}: ")[2]


def test_another_value_that_is_not_searched_is_one():
    values, _ = parse_params(TEXT)
    values["tasks"]["reviews"]["finetune"]["weight_decay"] = 0.5
    assert {name.partition("@")[0] for name in sections_that_differ(TEXT, dump(values))} == {"trial", "confirm"}


def test_a_task_replaces_and_drops_keys_of_the_space():
    own = {"epochs": {"low": 2, "high": 3}, "batch_size": None}
    resolved = resolve_params(changed(tasks={"reviews": {"encoder": "raw/minilm", "space": own}}), {})
    space = resolved["propose"]["reviews-round0"]["space"]
    assert (space["epochs"]["low"], space["epochs"]["high"]) == (2, 3)
    assert "batch_size" not in space
    assert "batch_size" in resolved["trial"]["reviews-round0-1"]["finetune"]
    assert "epochs" not in resolved["trial"]["reviews-round0-1"]["finetune"]


def test_a_key_with_a_condition_keeps_the_value_of_the_task_for_trials_without_it():
    space = {"lora": {"choices": [None, 8]}, "weight_decay": {"low": 0.0, "high": 0.1, "when": {"lora": [8]}}}
    resolved = resolve_params(changed(space=space), {})
    assert "weight_decay" in resolved["trial"]["reviews-round0-1"]["finetune"]
    assert "lora" not in resolved["trial"]["reviews-round0-1"]["finetune"]
    assert resolved["search"]["reviews"]["default"] == {"lora": None}


@pytest.mark.parametrize(
    ("search", "key", "words"),
    [
        ({"kind": "text-classificatio"}, "search.kind", "`text-classification`"),
        ({"tasks": {}}, "search.tasks", "at least 1"),
        ({"tasks": {"review": {"encoder": "raw/minilm", "space": {}}}}, "search.tasks.review", "`reviews`"),
        ({"tasks": {"reviews": {"encoder": "raw/other", "space": {}}}}, "search.tasks.reviews.encoder", "raw/minilm"),
        ({"rounds": []}, "search.rounds", "at least 1"),
        ({"rounds": [{"round": 0, "after": "start"}, {"round": 2, "after": 0}]}, "search", "count from 0"),
        ({"slots": []}, "search.slots", "at least 1"),
        ({"slots": [1, 1]}, "search", "repeat"),
        ({"seeds": [0, 1]}, "search.seeds", "seed of the trials"),
        ({"seed": -1}, "search.seed", "0"),
        ({"confidence": 1.0}, "search.confidence", "less than 1"),
        ({"width": 3}, "search.width", "unknown key"),
        ({"space": {}}, "search.space", "at least one"),
        ({"space": {"epochs": EPOCHS, "encoder": {"choices": ["a", "b"]}}}, "search.space.encoder", "`encoder`"),
        (
            {"space": {"epochs": EPOCHS, "max_length": {"choices": [64, 128]}}},
            "search.space.max_length",
            "a task for each value of `tokenize.max_length`",
        ),
    ],
)
def test_what_is_wrong_is_named_by_its_key(search, key, words):
    message = refused(changed(**search))
    (line,) = [line for line in message.splitlines() if f" {key}: " in line]
    assert words in line
    assert "line " in line
