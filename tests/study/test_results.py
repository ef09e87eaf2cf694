import csv
import io
import itertools
import json

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from pipeline.core.errors import DataError
from pipeline.report.charts.study import standalone, transfer
from pipeline.report.study import accuracy_table, findings, lead, markdown, method
from pipeline.report.study import tested as how_tested
from pipeline.report.templates.style import CHART_CSS
from pipeline.study.results import curves_csv, joined
from pipeline.study.seed_means import crossed_mean
from tests.given.studies import make_cells, make_study, params


@pytest.fixture(scope="module")
def study():
    return make_study()


@pytest.fixture
def task(study):
    return json.loads(json.dumps(study["tasks"][0]))


def test_a_point_is_the_mean_over_the_seeds(study):
    cells = make_cells(params())
    arm = study["tasks"][0]["arms"][5]
    point = arm["points"][2]
    ours = [cells["reviews", arm["arm"], 512, seed]["accuracy"] for seed in range(3)]
    assert point["by_seed"] == pytest.approx(ours)
    assert point["accuracy"]["value"] == pytest.approx(np.mean(ours))
    assert point["accuracy"]["low"] < np.mean(ours) < point["accuracy"]["high"]
    assert point["macro_f1"]["low"] <= point["macro_f1"]["value"] <= point["macro_f1"]["high"]


def test_a_comparison_is_paired_by_seed_and_row_and_adjusted_as_statsmodels_does(study):
    cells = make_cells(params())

    def right(arm, labels):
        found = [cells["reviews", arm, labels, seed] for seed in range(3)]
        return np.array([np.array(one["actual"].split()) == np.array(one["predicted"].split()) for one in found], float)

    ours = [one for one in study["tasks"][0]["comparisons"] if (one["better"], one["than"]) == ("scratch", "random")]
    assert [one["labels"] for one in ours] == [32, 128, 512, 2048, "all"]
    for one in ours:
        mean = crossed_mean(right("scratch", one["labels"]) - right("random", one["labels"]), confidence=0.95)
        assert (one["difference"], one["p_value"]) == pytest.approx((mean.value, mean.p_value))
    adjusted = multipletests([one["p_value"] for one in ours], method="holm")[1]
    assert [one["adjusted"] for one in ours] == pytest.approx(adjusted)


def test_fewer_labels_are_held_against_the_most(study):
    found = study["tasks"][0]["savings"]
    assert {(one["labels"], one["against"]) for one in found} == {(size, "all") for size in (32, 128, 512, 2048)}
    assert len(found) == 4 * len(params().comparisons)


def test_the_document_is_strict_json_and_the_same_again(study):
    assert json.loads(json.dumps(study, allow_nan=False)) == json.loads(json.dumps(make_study()))


def test_cells_of_different_test_rows_are_refused():
    found = params(labels=(32,), seeds=(0, 1))
    for key in (("reviews", "probe", 32, 1), ("reviews", "probe", 32, 0)):
        cells = make_cells(found)
        cells[key]["actual"] = " ".join(reversed(cells[key]["actual"].split()))
        with pytest.raises(DataError, match="different test rows"):
            joined(found, cells)


def test_the_plot_has_a_line_a_point(study):
    rows = list(csv.DictReader(io.StringIO(curves_csv(study))))
    assert len(rows) == 7 * 5
    assert rows[0]["arm"] == "majority"
    assert {row["labels"] for row in rows} == {"32", "128", "512", "2048", "8500"}
    assert all(float(row["low"]) <= float(row["accuracy"]) <= float(row["high"]) for row in rows)


# ------------------------------------------------------------------------------------------------ words
def outcomes(task, pair, *kinds, difference=0.031):
    """Give a pair's comparisons these outcomes, and take its savings away."""
    found = [one for one in task["comparisons"] if (one["better"], one["than"]) == pair]
    for one, kind in zip(found, kinds, strict=True):
        one |= {"outcome": kind, "difference": difference, "adjusted": 0.012}
    return task | {"comparisons": found, "savings": []}


GAIN, LOSS, OPEN = "real gain", "real loss", "no proven difference"
PAIR = ("scratch", "random")


def test_an_arm_that_does_not_help_is_said_not_to(task):
    (words,) = findings(outcomes(task, PAIR, *[OPEN] * 5))
    assert words.startswith(
        "Small BERT pretrained here is not proven to help over small BERT from random at any number of labels (+3.1 at"
    )


def test_a_gain_everywhere_is_said_so(task):
    (words,) = findings(outcomes(task, PAIR, *[GAIN] * 5))
    assert "is better than small BERT from random at every number of labels" in words
    assert "chance" not in words


def test_a_loss_is_said(task):
    (words,) = findings(outcomes(task, PAIR, LOSS, OPEN, OPEN, OPEN, GAIN))
    assert "is better than small BERT from random (+3.1 points with all 8,500, p = 0.012)" in words
    assert "and is worse than small BERT from random (+3.1 points with 32" in words
    assert words.endswith("With 128 (+3.1), 512 (+3.1) and 2,048 (+3.1) the difference may be chance.")


def test_fewer_labels_that_beat_the_most_are_said(task):
    found = outcomes(task, PAIR, *[GAIN] * 5)
    found["savings"] = [
        {"better": PAIR[0], "than": PAIR[1], "labels": size, "against": "all", "outcome": kind, "difference": 0.04,
         "adjusted": 0.0004}
        for size, kind in ((32, OPEN), (128, OPEN), (512, GAIN), (2048, GAIN))
    ]  # fmt: skip
    (words,) = findings(found)
    assert "With 512 labels it beats small BERT from random with all 8,500 (+4.0 points, p < 0.001)." in words


def test_the_lead_names_the_best_arms(study, task):
    for arm in task["arms"]:
        arm["points"][0]["accuracy"]["value"] = 0.9 if arm["arm"] == "probe" else 0.5
        arm["points"][-1]["accuracy"]["value"] = 0.95 if arm["arm"] == "pretrained" else 0.5
    assert lead(study, task) == (
        "MiniLM frozen + linear is the most accurate with 32 labels (0.900); "
        "MiniLM fine-tuned is the most accurate with all 8,500 labels (0.950)."
    )


def test_the_page_says_how_it_was_measured(study):
    task = study["tasks"][0]
    assert "3 seeds" in method(study, task)
    assert "never on the test split" in method(study, task)
    assert "Holm" in how_tested(study, task)


def test_how_many_show_something_by_chance_follows_the_confidence(study):
    task = study["tasks"][0]
    assert "5% at most are expected to show something" in how_tested(study, task)
    assert "10% at most are expected to show something" in how_tested(study | {"confidence": 0.9}, task)


def test_one_seed_says_nothing_of_others():
    study = make_study(labels=(32,), seeds=(0,))
    assert "count other test rows as chance but not another seed" in method(study, study["tasks"][0])
    assert "Each point is one training: it draws" in method(study, study["tasks"][0])
    assert lead(study, study["tasks"][0]).endswith(" That is one seed; another may rank them otherwise.")


def test_hostile_titles_are_text(study):
    hostile = json.loads(json.dumps(study))
    hostile["tasks"][0]["arms"][3]["title"] = "<b>|x|</b> @you #1"
    text = markdown(hostile)
    assert "<b>" not in text
    assert "|x|" not in text
    drawn = transfer(hostile["tasks"][0])
    assert "<b>" not in drawn
    assert "&lt;b&gt;" in drawn


def test_the_table_has_a_row_an_arm_and_a_column_a_number_of_labels(study):
    lines = accuracy_table(study["tasks"][0]).splitlines()
    assert len(lines) == 2 + 7
    assert {line.count("|") for line in lines} == {8}


# ------------------------------------------------------------------------------------------------ the figure
def test_each_arm_has_a_line_a_band_and_its_name(study):
    drawn = str(transfer(study["tasks"][0]))
    assert drawn.count("<polygon") == 7
    assert drawn.count(' line"') >= 7
    for arm in study["tasks"][0]["arms"]:
        assert f">{arm['title']}</text>" in drawn


@pytest.mark.parametrize("labels", [(32,), (128, 512), (32, 128, 512, 2048, "all")])
def test_names_stay_apart_and_inside(labels):
    import re

    drawn = str(transfer(make_study(labels=labels, seeds=(0, 1))["tasks"][0]))
    places = sorted(float(y) for y in re.findall(r'y="([\d.]+)" class="[a-z0-9 ]+ name"', drawn))
    assert len(places) == 7
    assert all(other - one >= 16.9 for one, other in itertools.pairwise(places))
    height = float(re.search(r'viewBox="0 0 [\d.]+ ([\d.]+)"', drawn)[1])
    assert places[0] > 0
    assert places[-1] < height


def test_a_study_without_any_variation_is_drawn():
    found = params(labels=(32, 128), seeds=(0,))
    cells = make_cells(found)
    for cell in cells.values():
        cell["predicted"] = cell["actual"]
    study = joined(found, cells)
    assert {one["outcome"] for one in study["tasks"][0]["comparisons"]} == {"no proven difference"}
    assert "NaN" not in transfer(study["tasks"][0])
    assert "not proven to help" in markdown(study)


def test_the_file_of_its_own_is_xml_with_its_colours(study):
    from xml.etree import ElementTree

    text = standalone(transfer(study["tasks"][0]), CHART_CSS)
    root = ElementTree.fromstring(text)  # noqa: S314 - made here
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "prefers-color-scheme: dark" in text
    assert "--arm0" in text
