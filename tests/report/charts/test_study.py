import itertools
import json
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.charts.study import ARM_LOOKS, FLOOR, STUDY_WIDTH, TOP, draw_study, find_looks
from pipeline.report.charts.svg import CHARACTER_WIDTH, text_width
from tests.given.studies import ARMS, make_study


@pytest.fixture(scope="module")
def study():
    return make_study()


def nodes(task, tag, kind):
    """Return the attributes of the elements of a drawing with this tag and this class, in order."""
    root = ET.fromstring(draw_study(task))  # noqa: S314 - made here
    return [node.attrib for node in root.iter(tag) if kind in node.get("class", "").split()]


def test_each_arm_has_a_line_an_interval_per_point_and_its_name(study):
    task = study["tasks"][0]
    points = sum(len(arm["points"]) for arm in task["arms"])
    assert len(nodes(task, "polyline", "line")) == len(nodes(task, "line", "line")) == len(task["arms"])
    assert len(nodes(task, "line", "range")) == points
    for arm in task["arms"]:
        assert f">{arm['title']}</text>" in draw_study(task)


@pytest.mark.parametrize("labels", [(32,), (128, 512), (32, 128, 512, 2048, "all")])
def test_no_two_intervals_hide_one_another_and_all_lie_inside(labels):
    ranges = nodes(make_study(labels=labels, seeds=(0, 1))["tasks"][0], "line", "range")
    places = sorted(float(node["x1"]) for node in ranges)
    assert len(places) == 7 * len(labels)
    assert min(right - left for left, right in itertools.pairwise(places)) >= 2
    assert 0 < places[0] < places[-1] < STUDY_WIDTH
    assert all(TOP <= float(node[end]) <= FLOOR for node in ranges for end in ("y1", "y2"))


def test_a_point_without_an_interval_has_none(study):
    task = json.loads(json.dumps(study["tasks"][0]))
    task["arms"][0]["points"][0]["accuracy"] |= {"low": None, "high": None}
    assert len(nodes(task, "line", "range")) == len(nodes(study["tasks"][0], "line", "range")) - 1


def test_names_stand_below_the_most_accurate_first_and_none_reaches_the_next(study):
    task = study["tasks"][0]
    root = ET.fromstring(draw_study(task))  # noqa: S314 - made here
    ranked = sorted(task["arms"], key=lambda arm: -arm["points"][-1]["accuracy"]["value"])
    titles = [arm["title"] for arm in ranked]
    places = {node.text: (float(node.attrib["x"]), float(node.attrib["y"])) for node in root.iter("text")}
    assert sorted(titles, key=lambda title: places[title][::-1]) == titles
    for title in titles:
        x, y = places[title]
        beside = [left for left, height in (places[other] for other in titles) if height == y and left > x]
        assert x + text_width(title) <= min(beside, default=STUDY_WIDTH)
        assert FLOOR + 40 < y <= float(root.attrib["height"])


def test_axis_names_stand_clear_of_the_tick_labels(study):
    root = ET.fromstring(draw_study(study["tasks"][0]))  # noqa: S314 - made here
    (name,) = [node for node in root.iter("text") if node.get("transform", "").startswith("rotate(-90")]
    ticks = [node for node in root.iter("text") if node.get("text-anchor") == "end"]
    assert ticks
    for tick in ticks:
        assert float(tick.attrib["x"]) - text_width(tick.text or "") >= float(name.attrib["x"]) + CHARACTER_WIDTH


def test_numbers_of_labels_stand_apart_however_near_they_are():
    task = make_study(labels=(128, 512, 2048, "all"), seeds=(0,))["tasks"][0]
    for arm in task["arms"]:
        arm["points"][-1]["train"] = 3615
    root = ET.fromstring(draw_study(task))  # noqa: S314 - made here
    sizes = [node for node in root.iter("text") if node.get("y") == f"{FLOOR + 18:g}"]
    assert [node.text for node in sizes] == ["128", "512", "2,048", "3,615"]
    for left, right in itertools.pairwise(sizes):
        room = (text_width(left.text or "") + text_width(right.text or "")) / 2
        assert float(right.attrib["x"]) - float(left.attrib["x"]) >= room


def test_an_arm_has_the_same_look_whatever_is_drawn_beside_it():
    everywhere = dict(zip(ARMS, find_looks(list(ARMS)), strict=True))
    for arms in itertools.permutations(ARMS, 2):
        assert find_looks(arms) == [everywhere[arm] for arm in arms]
    assert find_looks(["other"]) == find_looks(["other"])


@given(st.lists(st.sampled_from([*ARMS, "one", "two", "three"]), unique=True, min_size=1, max_size=8))
def test_no_two_arms_look_alike_while_there_are_looks(arms):
    looks = find_looks(arms)
    assert len(set(looks)) == len(arms)
    assert set(looks) <= set(ARM_LOOKS.values())


def test_more_arms_than_colours_are_dashed():
    looks = find_looks([*ARMS, "one", "two"])
    assert [kind.endswith(" dashed") for kind, _ in looks] == [False] * 8 + [True]


def test_hostile_titles_are_text(study):
    task = json.loads(json.dumps(study["tasks"][0]))
    task["arms"][3]["title"] = "<b>|x|</b> @you #1"
    svg = draw_study(task)
    assert not re.search("<b>", svg)
    assert "&lt;b&gt;" in svg
