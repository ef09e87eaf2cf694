import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.charts.confusion import draw_confusion


def drawn(labels: list[str], matrix: list[list[int]]) -> ET.Element:
    return ET.fromstring(draw_confusion(labels, matrix))  # noqa: S314


def test_rows_are_actual_and_columns_predicted() -> None:
    root = drawn(["a", "b"], [[8, 2], [0, 5]])
    cells = {node.text for node in root.iter("text") if "cell" in node.attrib["class"]}
    assert cells == {"8", "0.800", "2", "0.200", "5", "1.000"}
    hits = [node.attrib for node in root.iter("rect") if node.attrib["class"] == "hit"]
    (miss,) = [node.attrib for node in root.iter("rect") if node.attrib["class"] == "miss"]
    assert float(miss["x"]) > float(hits[0]["x"])
    assert miss["y"] == hits[0]["y"]
    assert root.findtext("desc", "").endswith(" a: 8 of 10; b: 5 of 5.")


def test_stronger_cells_have_the_larger_share_of_their_row() -> None:
    root = drawn(["a", "b"], [[90, 10], [40, 60]])
    strengths = [float(node.attrib["fill-opacity"]) for node in root.iter("rect") if "fill-opacity" in node.attrib]
    assert strengths == pytest.approx([0.9**0.5, 0.1**0.5, 0.4**0.5, 0.6**0.5], abs=0.01)


@pytest.mark.parametrize(("classes", "texts"), [(4, 2), (9, 1), (40, 0)])
def test_cells_show_as_much_as_they_have_room_for(classes: int, texts: int) -> None:
    matrix = [[7 * (row == column) for column in range(classes)] for row in range(classes)]
    root = drawn([f"c{at}" for at in range(classes)], matrix)
    assert len([node for node in root.iter("text") if "cell" in node.attrib["class"]]) == texts * classes
    assert len([node for node in root.iter("rect") if node.attrib["class"] == "hit"]) == classes


def test_many_classes_are_named_in_part() -> None:
    words = drawn([f"c{at}" for at in range(14)], [[1] * 14] * 14).findtext("desc")
    assert words is not None
    assert words.endswith("c11: 1 of 14; and 2 more classes.")


def test_long_names_are_turned_and_cut() -> None:
    root = drawn(["x" * 100, "y"], [[1, 1], [1, 1]])
    heads = [node for node in root.iter("text") if node.attrib.get("transform", "").startswith("rotate(-45")]
    assert [head.text for head in heads] == ["x" * 17 + "…", "y"]


@given(
    st.integers(2, 6).flatmap(
        lambda n: st.lists(st.lists(st.integers(0, 9999), min_size=n, max_size=n), min_size=n, max_size=n)
    )
)
def test_all_that_is_drawn_lies_inside(matrix: list[list[int]]) -> None:
    root = drawn([f"class {at}" for at in range(len(matrix))], matrix)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for node in root.iter("rect"):
        assert 0 <= float(node.attrib["x"]) <= width - float(node.attrib["width"])
        assert 0 <= float(node.attrib["y"]) <= height - float(node.attrib["height"])
    assert len([node for node in root.iter("rect") if "fill-opacity" in node.attrib]) == sum(map(bool, sum(matrix, [])))  # noqa: RUF017
