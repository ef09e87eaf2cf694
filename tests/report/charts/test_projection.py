import re
import xml.etree.ElementTree as ET

from pipeline.report.charts.projection import CLASS_SHAPES, draw_projection

HOSTILE = "<b>&\"' \u202e"


def document(classes: int, points: int = 40) -> dict:
    return {
        "explained": [0.25, 0.0625],
        "points": [
            {"x": at / points, "y": -at / points, "actual": at % classes, "predicted": (at + (at % 10 == 0)) % classes}
            for at in range(points)
        ],
    }


def paths(svg: str) -> dict[str, list[str]]:
    shapes: dict[str, list[str]] = {}
    for node in ET.fromstring(svg).iter("path"):  # noqa: S314 - made here
        shapes.setdefault(node.get("class", ""), []).append(node.get("d", ""))
    return shapes


def test_each_class_has_a_colour_and_a_shape_of_its_own() -> None:
    shapes = paths(draw_projection([f"c{at}" for at in range(5)], document(5)))
    assert set(shapes) == {*(f"class-{at} dot" for at in range(5)), "ring"}
    for at in range(5):
        drawn, legend = shapes[f"class-{at} dot"]
        assert drawn.count("M") == drawn.count(CLASS_SHAPES[at]) == 8
        assert legend.endswith(CLASS_SHAPES[at])
    assert shapes["ring"][0].count("M") == 4
    assert len(set(CLASS_SHAPES)) == len(CLASS_SHAPES)


def test_the_rarest_of_many_classes_share_a_look() -> None:
    svg = draw_projection([f"c{at}" for at in range(30)], document(30, 300))
    assert len([kind for kind in paths(svg) if kind.startswith("class-")]) == len(CLASS_SHAPES)
    assert len(paths(svg)["rest dot"]) == 30 - len(CLASS_SHAPES) + 1
    assert "other classes" in svg


def test_every_point_lies_inside_the_frame() -> None:
    svg = draw_projection(["a", "b"], document(2))
    root = ET.fromstring(svg)  # noqa: S314
    frame = root.find("rect")
    assert frame is not None
    left, top, width, height = (float(frame.get(name, "nan")) for name in ("x", "y", "width", "height"))
    spots = re.findall(r"M([\d.-]+) ([\d.-]+)m", paths(svg)["class-0 dot"][0])
    assert len(spots) == 20
    assert all(left < float(x) < left + width and top < float(y) < top + height for x, y in spots)


def test_names_are_text() -> None:
    svg = draw_projection([HOSTILE, "b"], document(2))
    words = [node.text or "" for node in ET.fromstring(svg).iter("text")]  # noqa: S314
    assert "<b>&\"' ⟨U+202E⟩" in words
    assert "first component: 25% of the variance" in words


def test_no_points_and_points_in_one_place_are_drawn() -> None:
    assert "0 test examples" in draw_projection(["a", "b"], {"explained": [0.0, 0.0], "points": []})
    alike = {"explained": [0.0, 0.0], "points": [{"x": 0.0, "y": 0.0, "actual": 0, "predicted": 0}] * 3}
    svg = draw_projection(["a", "b"], alike)
    assert "nan" not in svg
    assert "ring" not in svg


def test_the_description_counts() -> None:
    svg = draw_projection(["ham", "spam"], document(2))
    assert "40 test examples" in svg
    assert "ham: 20; spam: 20. The fine-tuned model gets 4 of them wrong." in svg
