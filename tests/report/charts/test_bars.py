import xml.etree.ElementTree as ET

import pytest

from pipeline.core.format import points, share
from pipeline.evaluate.outcome import Measure
from pipeline.report.charts.bars import BAR, Row, bar, extent, ranges, whisker


def test_marks_stand_in_the_order_of_the_numbers_with_their_intervals() -> None:
    rows = [Row("high", Measure(0.9, 0.85, 0.95)), Row("low", Measure(0.6, 0.5, 0.7))]
    root = ET.fromstring(ranges(rows, title="T", axis="accuracy", show=share, domain=(0, 1)))  # noqa: S314
    spots = [float(spot.attrib["cx"]) for spot in root.iter("circle")]
    lines = [one.attrib for one in root.iter("line") if "whisker" in one.attrib["class"]]
    assert spots[0] > spots[1]
    for spot, one in zip(spots, lines, strict=True):
        assert (float(one["x1"]) + float(one["x2"])) / 2 == pytest.approx(spot, abs=0.01)
    assert root.findtext("desc") == ("high: 0.900, interval 0.850 to 0.950. low: 0.600, interval 0.500 to 0.700.")


def test_a_missing_number_has_no_mark_and_says_so() -> None:
    rows = [Row("a", Measure(None)), Row("b", Measure(0.02), "square")]
    root = ET.fromstring(ranges(rows, title="T", axis="points", show=points, domain=(0, 0.1)))  # noqa: S314
    assert not list(root.iter("circle"))
    assert len(list(root.iter("rect"))) == 1
    assert root.findtext("desc") == "a: not measured. b: +2.0."
    assert [one.text for one in root.iter("text") if one.attrib["class"] == "value"] == ["–", "+2.0"]


def test_zero_has_its_own_line_where_the_axis_has_it() -> None:
    rows = [Row("a", Measure(0.02, -0.01, 0.05))]
    assert ranges(rows, title="T", axis="x", show=points, domain=(0, 0.02)).count('class="base"') == 1
    assert ranges([], title="T", axis="x", show=points, domain=(0, 0.02)).count("<circle") == 0


@pytest.mark.parametrize(("value", "width"), [(0.0, 0), (0.25, BAR / 4), (1.0, BAR), (1.7, BAR), (-1.0, 0)])
def test_a_bar_is_as_long_as_the_share(value: float, width: float) -> None:
    bars = list(ET.fromstring(bar(value)).iter("rect"))  # noqa: S314
    assert float(bars[1].attrib["width"]) == pytest.approx(width)


def test_a_whisker_spans_its_interval() -> None:
    root = ET.fromstring(whisker(Measure(0.5, 0.0, 1.0), (0.0, 1.0)))  # noqa: S314
    one, spot = next(root.iter("line")).attrib, next(root.iter("circle")).attrib
    assert (one["x1"], spot["cx"], one["x2"]) == ("3", "32", "61")
    bare = next(ET.fromstring(whisker(Measure(0.5), (0.0, 1.0))).iter("line")).attrib  # noqa: S314
    assert bare["x1"] == bare["x2"] == "32"


def test_nothing_is_drawn_for_nothing() -> None:
    assert bar(None) == whisker(Measure(None), (0, 1)) == ""
    assert extent([Measure(None)]) == (0.0, 1.0)
    assert extent([Measure(0.5), Measure(0.7, 0.4, 0.9)]) == (0.4, 0.9)
