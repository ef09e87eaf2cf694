import itertools
import json
import re

import pytest

from pipeline.report.charts.study import FLOOR, GAP, TOP, draw_study
from tests.given.studies import make_study


def name_places(task):
    """Return the heights of the names' baselines from the top, sorted."""
    return sorted(float(y) for y in re.findall(r'y="(-?[\d.]+)" class="[a-z0-9 ]+ name"', str(draw_study(task))))


@pytest.fixture(scope="module")
def study():
    return make_study()


def test_each_arm_has_a_line_a_band_and_its_name(study):
    svg = str(draw_study(study["tasks"][0]))
    assert svg.count("<polygon") == 7
    assert svg.count(' line"') >= 7
    for arm in study["tasks"][0]["arms"]:
        assert f">{arm['title']}</text>" in svg


@pytest.mark.parametrize("labels", [(32,), (128, 512), (32, 128, 512, 2048, "all")])
def test_names_stay_apart_and_inside(labels):
    places = name_places(make_study(labels=labels, seeds=(0, 1))["tasks"][0])
    assert len(places) == 7
    assert all(lower - upper >= GAP - 0.1 for upper, lower in itertools.pairwise(places))
    assert places[0] >= TOP
    assert places[-1] <= FLOOR + 4  # the baseline of a name is 4 below its middle


def test_names_that_crowd_at_the_floor_move_no_other(study):
    task = json.loads(json.dumps(study["tasks"][0]))
    for place, arm in enumerate(task["arms"]):
        for point in arm["points"]:
            point["accuracy"] = dict.fromkeys(("value", "low", "high"), 0.5 if place else 1.0)
    places = [TOP, *(FLOOR - GAP * above for above in range(5, -1, -1))]
    assert name_places(task) == pytest.approx([place + 4 for place in places])


def test_hostile_titles_are_text(study):
    task = json.loads(json.dumps(study["tasks"][0]))
    task["arms"][3]["title"] = "<b>|x|</b> @you #1"
    svg = draw_study(task)
    assert "<b>" not in svg
    assert "&lt;b&gt;" in svg
