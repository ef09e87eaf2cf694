import json

import pytest

from pipeline.report.charts.study import draw_study
from pipeline.report.study import (
    accuracy_table,
    comparison_table,
    describe_best_arms,
    describe_comparisons,
    describe_method,
    describe_tests,
    study_markdown,
)
from pipeline.study.results import join_cells
from tests.given.studies import make_cells, make_study, params

GAIN, LOSS, OPEN = "real gain", "real loss", "no proven difference"
PAIR = ("scratch", "random")


@pytest.fixture(scope="module")
def study():
    return make_study()


@pytest.fixture
def task(study):
    return json.loads(json.dumps(study["tasks"][0]))


def outcomes(task, pair, *kinds, difference=0.031):
    """Give a pair's comparisons these outcomes, and remove its savings."""
    rows = [row for row in task["comparisons"] if (row["better"], row["than"]) == pair]
    for row, kind in zip(rows, kinds, strict=True):
        row |= {"outcome": kind, "difference": difference, "adjusted": 0.012}
    return task | {"comparisons": rows, "savings": []}


# ------------------------------------------------------------------------------------------------ words
def test_an_arm_that_does_not_help_is_reported_so(task):
    (words,) = describe_comparisons(outcomes(task, PAIR, *[OPEN] * 5))
    assert words.startswith("Small BERT pretrained here is not proven better than small BERT from random at any number")
    assert words.endswith("(+3.1 at 32, +3.1 at 128, +3.1 at 512, +3.1 at 2,048 and +3.1 at all 8,500).")


def test_a_gain_everywhere_is_reported_so(task):
    (words,) = describe_comparisons(outcomes(task, PAIR, *[GAIN] * 5))
    assert "is better than small BERT from random at every number of labels (+3.1 points with 32, p = 0.012; " in words
    assert "chance" not in words


def test_a_loss_is_reported(task):
    (words,) = describe_comparisons(outcomes(task, PAIR, LOSS, OPEN, OPEN, OPEN, GAIN))
    assert "is better than small BERT from random (+3.1 points with all 8,500, p = 0.012)" in words
    assert "is worse than small BERT from random (+3.1 points with 32, p = 0.012)" in words
    assert " With 128 (+3.1), 512 (+3.1) and 2,048 (+3.1) " in words
    assert words.endswith("chance.")


def test_fewer_labels_that_beat_the_most_are_reported(task):
    compared = outcomes(task, PAIR, *[GAIN] * 5)
    compared["savings"] = [
        {"better": PAIR[0], "than": PAIR[1], "labels": size, "against": "all", "outcome": kind, "difference": 0.04,
         "adjusted": 0.0004}
        for size, kind in ((32, OPEN), (128, OPEN), (512, GAIN), (2048, GAIN))
    ]  # fmt: skip
    (words,) = describe_comparisons(compared)
    assert " With 512 labels it beats small BERT from random with all 8,500 (+4.0 points, p < 0.001)." in words


def test_the_best_arms_are_named_with_the_fewest_and_the_most_labels(study, task):
    for arm in task["arms"]:
        arm["points"][0]["accuracy"]["value"] = 0.9 if arm["arm"] == "probe" else 0.5
        arm["points"][-1]["accuracy"]["value"] = 0.95 if arm["arm"] == "pretrained" else 0.5
    first, last = describe_best_arms(study, task).split("; ")
    assert first.startswith("MiniLM frozen + linear ")
    assert first.endswith(" with 32 labels (0.900)")
    assert last.startswith("MiniLM fine-tuned ")
    assert last.endswith(" with all 8,500 labels (0.950).")


def test_arms_that_tie_are_all_named(study, task):
    for arm in task["arms"]:
        arm["points"][0]["accuracy"]["value"] = 0.9 if arm["arm"] in ("tfidf", "random", "probe") else 0.5
        arm["points"][-1]["accuracy"]["value"] = 0.95 if arm["arm"] == "pretrained" else 0.5
    first, last = describe_best_arms(study, task).split("; ")
    assert first.startswith("TF-IDF + linear, small BERT from random and MiniLM frozen + linear are ")
    assert first.endswith(" with 32 labels (0.900)")
    assert last.startswith("MiniLM fine-tuned is ")


def test_the_method_names_its_seeds_rows_and_confidence(study):
    words = describe_method(study, study["tasks"][0])
    assert "mean over 3 seeds" in words
    assert "never on the test split" in words
    assert "95% intervals" in words
    assert f"whose {study['tasks'][0]['rows']:,} rows" in words
    assert "Holm" in describe_tests(study, study["tasks"][0])


def test_the_share_of_chance_results_follows_the_confidence(study):
    task = study["tasks"][0]
    assert "at most 5% are expected" in describe_tests(study, task)
    assert "at most 10% are expected" in describe_tests(study | {"confidence": 0.9}, task)


def test_one_seed_is_reported_as_one():
    study = make_study(labels=(32,), seeds=(0,))
    words = describe_method(study, study["tasks"][0])
    assert "one training run" in words
    assert "not between seeds" in words
    assert " one seed" in describe_best_arms(study, study["tasks"][0])


# ------------------------------------------------------------------------------------------------ Markdown
def test_hostile_titles_are_text(study):
    hostile = json.loads(json.dumps(study))
    hostile["tasks"][0]["arms"][3]["title"] = "<b>|x|</b> @you #1"
    text = study_markdown(hostile)
    assert "<b>" not in text
    assert "|x|" not in text


def test_the_table_has_a_row_per_arm_and_a_column_per_number_of_labels(study):
    lines = accuracy_table(study["tasks"][0]).splitlines()
    assert len(lines) == 2 + 7
    assert {line.count("|") for line in lines} == {8}


def test_the_comparisons_have_a_row_each(task):
    lines = comparison_table(outcomes(task, PAIR, LOSS, OPEN, OPEN, OPEN, GAIN)).splitlines()
    assert len(lines) == 2 + 5
    assert lines[2].startswith("| small BERT pretrained here | small BERT from random | 32 | +3.1 [")
    assert lines[2].endswith("] | 0.012 | real loss |")


def test_a_study_without_any_variation_is_reported():
    found = params(labels=(32, 128), seeds=(0,))
    cells = make_cells(found)
    for key, cell in cells.items():
        cells[key] = cell._replace(answers=cell.answers._replace(predicted=cell.answers.actual))
    study = join_cells(found, cells)
    assert {row["outcome"] for row in study["tasks"][0]["comparisons"]} == {OPEN}
    assert "NaN" not in draw_study(study["tasks"][0])
    assert "not proven better" in study_markdown(study)
