import xml.etree.ElementTree as ET
from typing import Any

import pytest
from scipy.stats import binomtest

from pipeline.classes.measures import METRICS
from pipeline.report.charts.curves import LOWER, RIGHT, draw_calibration, draw_learning_curve
from pipeline.report.charts.svg import CHARACTER_WIDTH, text_width
from tests.given.reporting import make_task


def corners(root: ET.Element) -> list[list[tuple[float, float]]]:
    """Return the corners of each line of a drawing."""
    lines = [node.attrib["points"].split() for node in root.iter("polyline")]
    return [[(float(x), float(y)) for x, y in (pair.split(",") for pair in line)] for line in lines]


def test_a_calibrated_model_lies_on_the_diagonal() -> None:
    bins: list[dict[str, Any]] = [
        {"low": at / 10, "high": (at + 1) / 10, "count": 5, "confidence": at / 10, "accuracy": at / 10}
        for at in range(10)
    ]
    root = ET.fromstring(draw_calibration(bins, 0.95))  # noqa: S314
    (ideal,) = [node.attrib for node in root.iter("line") if node.attrib["class"] == "ideal"]
    x1, y1, x2, y2 = (float(ideal[key]) for key in ("x1", "y1", "x2", "y2"))
    (line,) = corners(root)
    for x, y in line:
        assert (x - x1) / (x2 - x1) == pytest.approx((y - y1) / (y2 - y1), abs=1e-4)
    assert len([node for node in root.iter("rect") if node.attrib["class"] == "bar"]) == 10


def test_an_overconfident_model_lies_below_and_empty_bins_are_left_out() -> None:
    bins: list[dict[str, Any]] = [
        {"low": 0.5, "high": 0.9, "count": 0, "confidence": None, "accuracy": None},
        {"low": 0.9, "high": 1.0, "count": 1200, "confidence": 0.97, "accuracy": 0.6},
    ]
    svg = draw_calibration(bins, 0.95)
    assert "<desc>Confidence 0.970: accuracy 0.600 [0.572, 0.627] on 1,200 examples.</desc>" in svg
    assert svg.count('class="bar"') == svg.count("<circle") == 1
    assert draw_calibration([], 0.95).count("<circle") == 0


def test_a_bin_of_few_examples_has_a_long_interval() -> None:
    bins: list[dict[str, Any]] = [
        {"low": 0.4, "high": 0.5, "count": 2, "confidence": 0.45, "accuracy": 0.0},
        {"low": 0.9, "high": 1.0, "count": 505, "confidence": 0.97, "accuracy": 490 / 505},
    ]
    root = ET.fromstring(draw_calibration(bins, 0.95))  # noqa: S314
    (ideal,) = [node.attrib for node in root.iter("line") if node.attrib["class"] == "ideal"]
    zero, one = float(ideal["y1"]), float(ideal["y2"])
    intervals = [node.attrib for node in root.iter("line") if "range" in node.attrib["class"]]
    found = [[(zero - float(node[end])) / (zero - one) for end in ("y1", "y2")] for node in intervals]
    for ends, (right, rows) in zip(found, ((0, 2), (490, 505)), strict=True):
        reference = binomtest(right, rows).proportion_ci(0.95, method="wilson")
        assert ends == pytest.approx([reference.low, reference.high], abs=1e-3)


def test_the_learning_curve_has_four_lines_and_the_best_step() -> None:
    history = make_task().history
    root = ET.fromstring(draw_learning_curve(history, METRICS))  # noqa: S314
    lines = corners(root)
    assert [len(line) for line in lines] == [8, 8, 8, 8]
    (best,) = [node.attrib for node in root.iter("line") if node.attrib["class"] == "best"]
    assert float(best["x1"]) == pytest.approx(lines[0][5][0], abs=0.02)
    for key, line in zip(("train_loss", "loss", "accuracy", "macro_f1"), lines, strict=True):
        values = [row[key] for row in history["evaluations"]]
        heights = [-y for _, y in line]
        assert sorted(range(8), key=values.__getitem__) == sorted(range(8), key=heights.__getitem__)
    names = [node.text for node in root.iter("text") if "name" in node.attrib["class"]]
    assert names == ["training", "validation", "accuracy", "macro-F1"]


def test_names_at_the_ends_of_lines_never_overlap() -> None:
    history = make_task().history
    for row in history["evaluations"]:
        row["macro_f1"] = row["accuracy"]
    root = ET.fromstring(draw_learning_curve(history, METRICS))  # noqa: S314
    heights = [float(node.attrib["y"]) for node in root.iter("text") if "name" in node.attrib["class"]]
    assert abs(heights[3] - heights[2]) >= 14


@pytest.mark.parametrize("factor", [0.001, 1, 1234, 1e6])
def test_axis_names_stand_clear_of_tick_labels_of_any_width(factor: float) -> None:
    history = make_task().history
    for row in history["evaluations"]:
        row["loss"] *= factor
        row["train_loss"] *= factor
    nodes = list(ET.fromstring(draw_learning_curve(history, METRICS)).iter("text"))  # noqa: S314
    names = [float(node.attrib["x"]) for node in nodes if node.get("transform", "").startswith("rotate(-90")]
    ticks = [node for node in nodes if node.get("text-anchor") == "end"]
    assert len(names) == 2
    for tick in ticks:
        assert float(tick.attrib["x"]) - text_width(tick.text or "") >= max(names) + CHARACTER_WIDTH


@pytest.mark.parametrize(("kept", "steps"), [(2, ["0", "66", "132"]), (8, ["0", "200", "400", "530"])])
def test_the_last_step_is_named_and_of_few_evaluations_each(kept: int, steps: list[str]) -> None:
    history = make_task().history
    history["evaluations"] = history["evaluations"][:kept]
    nodes = list(ET.fromstring(draw_learning_curve(history, METRICS)).iter("text"))  # noqa: S314
    below = [node for node in nodes if node.get("y") == f"{LOWER[1] + 16:g}"]
    assert sorted((node.text for node in below), key=lambda text: int(text or "")) == steps
    assert max(float(node.attrib["x"]) for node in below) == pytest.approx(RIGHT)


@pytest.mark.parametrize("kept", [0, 1])
def test_a_short_training_is_drawn_too(kept: int) -> None:
    history: dict[str, Any] = dict(make_task().history)
    history["evaluations"] = history["evaluations"][:kept]
    history["best"] = {"step": 1, "loss": 0.5, "accuracy": None, "macro_f1": None}
    svg = draw_learning_curve(history, METRICS)
    assert svg.count("<polyline") == 4 * kept
    assert "accuracy –, macro-F1 –" in svg


def test_a_series_without_values_is_left_out() -> None:
    history = make_task().history
    for row in history["evaluations"]:
        row["train_loss"] = None
    assert draw_learning_curve(history, METRICS).count("<polyline") == 3
