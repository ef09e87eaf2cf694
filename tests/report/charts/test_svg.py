import math
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from pipeline.report.charts.svg import (
    element,
    flow,
    image,
    label,
    mark,
    name_ticks,
    scale,
    spread,
    text_width,
    ticks,
)

numbers = st.floats(-1e6, 1e6)


@given(st.text(max_size=30), st.text(max_size=30))
def test_text_and_attributes_are_escaped(words: str, value: str) -> None:
    root = ET.fromstring(element("text", words, class_=value))  # noqa: S314
    assert (root.tag, set(root.attrib), len(root)) == ("text", {"class"}, 0)


def test_markup_stays_and_numbers_are_short() -> None:
    result = element("g", element("title", "a < b"), stroke_width=1 / 3, x=-0.0001, y=250000.0, role=None)
    assert result == '<g stroke-width="0.33" x="0" y="250000" role="None"><title>a &lt; b</title></g>'


def test_a_drawing_has_a_name_and_a_description() -> None:
    svg = image(10, 20, label(1, 2, "x", turn=-45), title="T", description="D")
    assert svg.startswith('<svg viewBox="0 0 10 20" width="10" height="20" role="img"><title>T</title><desc>D</desc>')
    assert 'transform="rotate(-45 1.00 2.00)"' in svg


@pytest.mark.parametrize(("shape", "tag"), [("circle", "<circle"), ("square", "<rect"), ("diamond", "rotate(45")])
def test_marks_differ_by_shape(shape: str, tag: str) -> None:
    result = mark(shape, 3, 4, "spot")
    assert isinstance(result, Markup)
    assert tag in result


@given(numbers, numbers, numbers, numbers)
def test_a_scale_maps_ends_to_ends(low: float, high: float, start: float, stop: float) -> None:
    x = scale((low, high), (start, stop))
    if low == high:
        assert x(low) == pytest.approx((start + stop) / 2)
    else:
        assert x(low) == pytest.approx(start)
        assert x(high) == pytest.approx(stop, abs=1e-6 * (abs(start) + abs(stop) + 1))


@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e5), st.integers(2, 12))
def test_ticks_are_round_evenly_spaced_and_inside(low: float, width: float, most: int) -> None:
    high = low + width
    result = ticks(low, high, most=most)
    assert len(result) <= most
    assert all(low - 1e-6 * width <= tick <= high + 1e-6 * width for tick in result)
    steps = {round(right - left, 9) for left, right in pairwise(result)}
    assert len({f"{step:.6g}" for step in steps}) <= 1
    for step in steps:
        leading = step / 10 ** math.floor(math.log10(step) + 1e-9)
        assert min(abs(leading - round_) for round_ in (1, 2, 5)) < 1e-3


def test_ticks_by_hand() -> None:
    assert ticks(0, 1, most=6) == [0, 0.2, 0.4, 0.6, 0.8, 1]
    assert ticks(-0.021, 0.104) == [0, 0.05, 0.1]
    assert ticks(3, 3) == [3]


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([0.8, 0.81, 0.82], ["0.80", "0.81", "0.82"]),
        ([0, 500, 1000], ["0", "500", "1,000"]),
        ([-0.05, 0], ["-0.05", "0.00"]),
        ([], []),
    ],
)
def test_the_ticks_of_an_axis_have_equally_many_decimals(values: list[float], names: list[str]) -> None:
    assert name_ticks(values) == names


@given(st.lists(st.floats(1, 120), max_size=12))
def test_entries_flow_in_order_inside_and_without_overlap(widths: list[float]) -> None:
    places = flow(widths, start=10, stop=130)
    assert [row for _, row in places] == sorted(row for _, row in places)
    for (left, row), (following, next_row), width in zip(places, places[1:], widths, strict=False):
        assert following == (left + width if next_row == row else 10)
    assert all(left + width <= 130 + 1e-9 for (left, _), width in zip(places, widths, strict=True))


@given(st.lists(st.floats(0, 300), max_size=6), st.floats(1, 20))
def test_spread_positions_keep_their_order_and_distance(positions: list[float], gap: float) -> None:
    moved = spread(positions, gap=gap)
    assert all(new >= old for new, old in zip(moved, positions, strict=True))
    ordered = sorted(moved)
    assert all(right - left >= gap - 1e-9 for left, right in pairwise(ordered))


def test_wide_characters_take_two_places() -> None:
    assert text_width("日本") == text_width("abcd")
