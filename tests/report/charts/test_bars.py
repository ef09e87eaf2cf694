import xml.etree.ElementTree as ET

import pytest

from pipeline.core.format import points, share
from pipeline.evaluate.estimate import Estimate
from pipeline.report.charts.bars import BAR_WIDTH, RangeRow, draw_bar, draw_ranges, draw_whisker, extent


def test_marks_stand_in_the_order_of_the_numbers_with_their_intervals() -> None:
    rows = [RangeRow("high", Estimate(0.9, 0.85, 0.95)), RangeRow("low", Estimate(0.6, 0.5, 0.7))]
    root = ET.fromstring(draw_ranges(rows, title="T", axis="accuracy", show=share, domain=(0, 1)))  # noqa: S314
    spots = [float(spot.attrib["cx"]) for spot in root.iter("circle")]
    lines = [node.attrib for node in root.iter("line") if "whisker" in node.attrib["class"]]
    assert spots[0] > spots[1]
    for spot, node in zip(spots, lines, strict=True):
        assert (float(node["x1"]) + float(node["x2"])) / 2 == pytest.approx(spot, abs=0.01)
    assert root.findtext("desc") == ("high: 0.900, interval 0.850 to 0.950. low: 0.600, interval 0.500 to 0.700.")


def test_a_missing_number_has_no_mark_and_says_so() -> None:
    rows = [RangeRow("a", Estimate(None)), RangeRow("b", Estimate(0.02), "square")]
    root = ET.fromstring(draw_ranges(rows, title="T", axis="points", show=points, domain=(0, 0.1)))  # noqa: S314
    assert not list(root.iter("circle"))
    assert len(list(root.iter("rect"))) == 1
    assert root.findtext("desc") == "a: not measured. b: +2.0."
    assert [node.text for node in root.iter("text") if node.attrib["class"] == "value"] == ["–", "+2.0"]


def test_zero_has_its_own_line_where_the_axis_has_it() -> None:
    rows = [RangeRow("a", Estimate(0.02, -0.01, 0.05))]
    assert draw_ranges(rows, title="T", axis="x", show=points, domain=(0, 0.02)).count('class="base"') == 1
    assert draw_ranges([], title="T", axis="x", show=points, domain=(0, 0.02)).count("<circle") == 0


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
