import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.picture import draw_stages, place_stages, reduce_stages
from pipeline.repository.graph import stage_needs

SVG = "{http://www.w3.org/2000/svg}"
ACYCLIC = st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6)).filter(lambda edge: edge[0] < edge[1]))


def mermaid_graph(text: str) -> tuple[set[str], set[tuple[str, str]]]:
    """Return the nodes of a Mermaid flowchart by their titles, and its edges."""
    titles = dict(re.findall(r'(\w+)\["([^"]+)"\]', text))
    edges = {(titles[left], titles[right]) for left, right in re.findall(r"(\w+) ?--> ?(\w+)", text)}
    return set(titles.values()), edges


def test_the_picture_is_the_graph_that_dvc_draws():
    drawn = subprocess.run(
        [str(Path(sys.executable).parent / "dvc"), "dag", "--mermaid"], capture_output=True, text=True, check=True
    ).stdout
    nodes, edges = mermaid_graph(drawn)
    needs = {node: frozenset(left for left, right in edges if right == node) for node in nodes}
    assert stage_needs() == needs
    assert Path("docs/stages.svg").read_text(encoding="utf-8") == draw_stages(needs)


def test_instances_are_one_node_and_shortcuts_are_left_out():
    needs = {"b@x": {"a"}, "b@y": {"a", "fetch@s"}, "a": {"fetch@s"}, "fetch@s": set(), "alone": set()}
    assert reduce_stages(needs) == (["alone", "fetch@SOURCE", "a", "b@TASK"], {("fetch@SOURCE", "a"), ("a", "b@TASK")})


def test_a_stage_whose_instances_need_each_other_is_one_node():
    needs = {"pretrain@x": {"corpus"}, "pretrain@y": {"pretrain@x"}, "corpus": set()}
    assert reduce_stages(needs)[1] == {("corpus", "pretrain@ENCODER")}


@given(ACYCLIC)
def test_reachability_stays_and_no_edge_is_superfluous(edges):
    order, drawn = reduce_stages({f"s{at}": {f"s{left}" for left, right in edges if right == at} for at in range(7)})
    assert sorted(order) == [f"s{at}" for at in range(7)]
    assert all(order.index(left) < order.index(right) for left, right in drawn)
    numbered = {(int(left[1:]), int(right[1:])) for left, right in drawn}
    assert reach(numbered) == reach(edges)
    assert all(reach(numbered - {edge}) != reach(edges) for edge in numbered)


def reach(edges):
    reached = set(edges)
    for _ in range(7):
        reached |= {(left, far) for left, middle in reached for near, far in reached if near == middle}
    return reached


@given(ACYCLIC)
def test_each_place_is_taken_once_and_each_edge_steps_one_row_down(edges):
    order, drawn = reduce_stages({f"s{at}": {f"s{left}" for left, right in edges if right == at} for at in range(7)})
    places, paths = place_stages(order, drawn)
    assert len(set(places.values())) == len(places)
    assert {(path[0], path[-1]) for path in paths} == drawn
    for path in paths:
        rows = [places[name][1] for name in path]
        assert rows == list(range(rows[0], rows[0] + len(path)))


def test_the_picture_is_an_image_with_a_box_a_stage_and_a_line_an_edge():
    root = ElementTree.fromstring(draw_stages({"a": set(), "b<@x": {"a"}, "c": {"a", "b<@x"}}))  # noqa: S314
    assert [box.text for box in root.iter(f"{SVG}text")] == ["a", "b<@TASK", "c"]
    assert len([*root.iter(f"{SVG}path")]) == 2
    assert root.findtext(f"{SVG}desc") == "b<@TASK needs a; c needs b<@TASK"


def test_no_stages_are_an_empty_picture():
    assert [*ElementTree.fromstring(draw_stages({})).iter(f"{SVG}rect")] == []  # noqa: S314
