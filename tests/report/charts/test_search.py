import xml.etree.ElementTree as ET

import pytest

from pipeline.report.charts.search import draw_importance, draw_search_history, draw_slice

RATE = {"low": 1e-4, "high": 1e-2, "log": True, "when": None}
LORA = {"choices": [None, 4], "when": None}
SCORES = [(1e-4, 0.5), (1e-3, None), (1e-2, 0.75), (1e-3, 0.6)]


def trials(scores=SCORES):
    return [
        {"values": {"learning_rate": rate, **({} if at else {"lora": 4})}, "score": score, "rung": None}
        for at, (rate, score) in enumerate(scores)
    ]


def parse(picture):
    return ET.fromstring(picture)  # noqa: S314 - our own


def texts(picture):
    return [node.text for node in parse(picture).iter("text")]


def circles(picture):
    return [(float(node.get("cx")), float(node.get("cy"))) for node in parse(picture).iter("circle")]


@pytest.mark.parametrize(("lower", "levels"), [(False, 2), (True, 1)])
def test_the_history_has_a_mark_for_each_trial_and_the_best_until_then(lower, levels):
    picture = draw_search_history(trials(), metric="accuracy", lower=lower)
    assert len(circles(picture)) == 3
    assert len(list(parse(picture).iter("rect"))) == 1  # the trial that diverged
    line = next(parse(picture).iter("polyline")).get("points")
    heights = [corner.split(",")[1] for corner in line.split()]
    assert len(set(heights)) == levels


def test_what_was_dropped_is_a_small_dot_and_never_the_best():
    dropped = [*trials(), {"values": {"learning_rate": 1e-3}, "score": 0.9, "rung": 0}]
    picture = draw_search_history(dropped, metric="accuracy", lower=False)
    sizes = [float(node.get("r")) for node in parse(picture).iter("circle")]
    assert sizes[-1] < sizes[0]
    assert "the best accuracy is 0.750" in picture


def test_without_a_score_there_is_no_line():
    picture = draw_search_history(trials([(1e-4, None)]), metric="loss", lower=True)
    assert circles(picture) == []
    assert not next(parse(picture).iter("polyline")).get("points")


def test_a_slice_places_numbers_by_their_logarithm():
    places = [x for x, _ in circles(draw_slice("learning_rate", RATE, trials(), metric="accuracy"))]
    assert places[2] == pytest.approx((places[0] + places[1]) / 2, abs=0.01)


def test_a_slice_leaves_out_trials_without_the_key_and_names_the_choices():
    picture = draw_slice("lora", LORA, trials(), metric="accuracy")
    assert len(circles(picture)) == 1
    assert {"null", "4", "lora"} <= {*texts(picture)}


def test_the_bars_are_as_long_as_the_shares():
    picture = draw_importance({"a": 0.75, "b": 0.25})
    widths = [float(node.get("width")) for node in parse(picture).iter("rect")]
    assert widths[0] == pytest.approx(3 * widths[1], abs=0.05)
    assert {"a", "b", "0.750", "0.250"} <= {*texts(picture)}


def test_text_from_a_search_is_escaped():
    hostile = "<script>&"
    for picture in (
        draw_slice(hostile, {"choices": [hostile, 1]}, [], metric=hostile),
        draw_importance({hostile: 0.5}),
        draw_search_history(trials(), metric=hostile, lower=False),
    ):
        assert hostile in texts(picture)
