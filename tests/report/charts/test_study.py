import itertools
import json
import re

import pytest

from pipeline.report.charts.study import draw_study
from tests.given.studies import make_study


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
    svg = str(draw_study(make_study(labels=labels, seeds=(0, 1))["tasks"][0]))
    places = sorted(float(y) for y in re.findall(r'y="([\d.]+)" class="[a-z0-9 ]+ name"', svg))
    assert len(places) == 7
    assert all(lower - upper >= 16.9 for upper, lower in itertools.pairwise(places))
    height = float(re.search(r'viewBox="0 0 [\d.]+ ([\d.]+)"', svg)[1])
    assert places[0] > 0
    assert places[-1] < height


def test_hostile_titles_are_text(study):
    task = json.loads(json.dumps(study["tasks"][0]))
    task["arms"][3]["title"] = "<b>|x|</b> @you #1"
    svg = draw_study(task)
    assert "<b>" not in svg
    assert "&lt;b&gt;" in svg
