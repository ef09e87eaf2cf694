import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.stage import load_facets
from pipeline.settings.pretrain import PretrainParams
from pipeline.settings.problems import _SYNONYMS, Problems, describe_unknown
from pipeline.settings.shared.classes import ClassifierParams
from pipeline.settings.sources import HubSource
from pipeline.settings.task import TokenizeParams


def test_a_key_is_below_its_section_unless_it_stands_elsewhere():
    problems = Problems()
    task = problems.within("tasks.spam").within("finetune", {"epochs": "finetune.epochs", "a.b": "x.y"})
    task.add("epochs", "common")
    task.add("seed", "own")
    task.add("", "whole")
    task.add("epochs.deep", "below a common one")
    task.add("a.b.c", "below a place of two parts")
    task.add("a.c", "not below it")
    assert problems.errors == {
        "finetune.epochs": "common",
        "tasks.spam.finetune.seed": "own",
        "tasks.spam.finetune": "whole",
        "finetune.epochs.deep": "below a common one",
        "x.y.c": "below a place of two parts",
        "tasks.spam.finetune.a.c": "not below it",
    }


def test_the_first_error_of_a_key_counts():
    problems = Problems()
    problems.add("a", "first")
    problems.within("a").add("", "second")
    assert problems.errors == {"a": "first"}


def test_a_line_is_that_of_the_nearest_key_above():
    problems = Problems()
    for key in ("a.b.c", "a", "b"):
        problems.add(key, "wrong")
    assert problems.listing({"a": 3, "a.b": 4}).splitlines() == [
        "  line 4: a.b.c: wrong",
        "  line 3: a: wrong",
        "  b: wrong",
    ]


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("lr", "learning_rate"),
        ("early_stopping_patience", "patience"),
        ("num_train_epochs", "epochs"),
        ("Max-Seq-Length", "max_length"),
        ("random_state", "seed"),
        ("gradient_accumulation_steps", "accumulate"),
    ],
)
def test_what_other_programs_call_a_key_is_known(key, meant):
    allowed = tuple(ClassifierParams.model_fields) + tuple(TokenizeParams.model_fields)
    assert describe_unknown(key, allowed) == f"unknown key; did you mean `{meant}`?"


def test_every_synonym_is_of_a_key_and_none_is_one():
    sections = [model for settings in load_facets("settings").values() for model in settings.sections.values()]
    keys = {key for model in (*sections, PretrainParams, HubSource) for key in model.model_fields}
    assert set(_SYNONYMS.values()) <= keys | {"encoder"}
    assert not {name for name, key in _SYNONYMS.items() if name in keys and key == name}


def test_the_nearest_key_is_named_or_all_of_them():
    assert "`epochs`" in describe_unknown("epoch", ("seed", "epochs"))
    assert describe_unknown("zzz", ("seed", "epochs"), kind="task") == "unknown task; allowed: seed, epochs"
    assert "none here" in describe_unknown("a", ())


@given(st.text(max_size=9), st.lists(st.text(min_size=1, max_size=9), max_size=4))
def test_any_key_is_told(key, allowed):
    assert describe_unknown(key, allowed).startswith("unknown key; ")
