import xml.etree.ElementTree as ET

import pytest

from pipeline.evaluate.estimate import Estimate
from pipeline.report.charts.bars import BAR_WIDTH, draw_bar, draw_whisker, extent


@pytest.mark.parametrize(
    ("value", "width"), [(0.0, 0), (0.25, BAR_WIDTH / 4), (1.0, BAR_WIDTH), (1.7, BAR_WIDTH), (-1.0, 0)]
)
def test_a_bar_is_as_long_as_the_share(value: float, width: float) -> None:
    bars = list(ET.fromstring(draw_bar(value)).iter("rect"))  # noqa: S314
    assert float(bars[1].attrib["width"]) == pytest.approx(width)


def test_a_whisker_spans_its_interval() -> None:
    root = ET.fromstring(draw_whisker(Estimate(0.5, 0.0, 1.0), (0.0, 1.0)))  # noqa: S314
    node, spot = next(root.iter("line")).attrib, next(root.iter("circle")).attrib
    assert (node["x1"], spot["cx"], node["x2"]) == ("3", "32", "61")
    bare = next(ET.fromstring(draw_whisker(Estimate(0.5), (0.0, 1.0))).iter("line")).attrib  # noqa: S314
    assert bare["x1"] == bare["x2"] == "32"


def test_nothing_is_drawn_for_nothing() -> None:
    assert draw_bar(None) == draw_whisker(Estimate(None), (0, 1)) == ""
    assert extent([Estimate(None)]) == (0.0, 1.0)
    assert extent([Estimate(0.5), Estimate(0.7, 0.4, 0.9)]) == (0.4, 0.9)
