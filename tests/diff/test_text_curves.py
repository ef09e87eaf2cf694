from hypothesis import given
from hypothesis import strategies as st

from pipeline.diff.document import Bin, Curves, LossPoint
from pipeline.diff.text_curves import TEXT_BAR_WIDTH, render_calibration, render_learning, sparkline, text_bar

EMPTY = Curves(calibration=(), learning=())


@given(st.floats(-1, 2), st.floats(-1, 2))
def test_a_bar_has_one_width_and_grows_with_its_value(one, other):
    def length(value):
        return sum((" ▏▎▍▌▋▊▉█".index(char)) for char in text_bar(value))

    assert len(text_bar(one)) == TEXT_BAR_WIDTH
    assert abs(length(one) - min(1, max(0, one)) * TEXT_BAR_WIDTH * 8) <= 0.5
    assert length(min(one, other)) <= length(max(one, other))


@given(st.lists(st.floats(0, 1), min_size=1))
def test_a_sparkline_has_the_order_of_the_values(values):
    line = sparkline(values, min(values), max(values))
    assert len(line) == len(values)
    pairs = zip(values, line, strict=True)
    assert [char for _, char in sorted(pairs)] == sorted(line)


def test_curves_stand_side_by_side():
    base = Curves(
        calibration=(
            Bin(low=0.5, count=20, confidence=0.55, right=0.5),
            Bin(low=0.9, count=1200, confidence=0.95, right=1.0),
        ),
        learning=(LossPoint(step=10, loss=0.7), LossPoint(step=20, loss=0.3)),
    )
    head = Curves(
        calibration=base.calibration[1:], learning=(LossPoint(step=5, loss=None), LossPoint(step=9, loss=0.5))
    )
    assert render_calibration(base, head).splitlines() == [
        "confidence   base: share right            head: share right",
        "from 0.5     ██████       0.500 of 20",
        "from 0.9     ████████████ 1.000 of 1,200   ████████████ 1.000 of 1,200",
    ]
    assert render_learning(base, head).splitlines() == [
        "validation loss",
        "base   █▁   lowest 0.300 at step 20 of 20",
        "head   ▅   lowest 0.500 at step 9 of 9",
    ]
    assert render_calibration(EMPTY, EMPTY) == render_learning(EMPTY, EMPTY) == ""
