import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import UsageError
from pipeline.core.stage import STAGES
from pipeline.report.readme import draw_stages, first_table, replace_part
from pipeline.repository.graph import stage_needs

README = Path("README.md").read_text(encoding="utf-8")


def between(part: str) -> str:
    match = re.search(rf"<!-- {part} -->\n(.*?)\n<!-- /{part} -->", README, flags=re.DOTALL)
    assert match, part
    return match.group(1)


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
    assert between("picture") == f"```mermaid\n{draw_stages(needs)}\n```"


def test_the_table_of_stages_has_each_of_them_once():
    table = README.partition("| stage | does |")[2].partition("\n\n")[0]
    assert sorted(re.findall(r"^\| `([a-z]+)` \|", table, flags=re.MULTILINE)) == sorted(STAGES)


def test_the_table_is_that_of_the_report():
    """Of the one on disk, or of the committed one if this machine has made another since."""
    report = Path("data/report.md").read_text(encoding="utf-8")
    kept = subprocess.run(["git", "show", "HEAD:data/report.md"], capture_output=True, text=True, check=True).stdout
    assert between("results") in (first_table(report), first_table(kept))


EXAMPLE = Path("docs/example.html")


@pytest.mark.skipif(not EXAMPLE.exists(), reason="`make readme` makes the example")
def test_the_example_is_the_page_of_the_report_that_git_keeps():
    (identity,) = re.findall(r"<title>.* \((\w+)\)</title>", EXAMPLE.read_text(encoding="utf-8"))
    kept = subprocess.run(["git", "show", "HEAD:data/report.md"], capture_output=True, text=True, check=True).stdout
    assert f"\nResults {identity}.\n" in kept + Path("data/report.md").read_text(encoding="utf-8")


def test_instances_are_one_node_and_shortcuts_are_left_out():
    needs = {"b@x": {"a"}, "b@y": {"a", "fetch@s"}, "a": {"fetch@s"}, "fetch@s": set(), "alone": set()}
    assert draw_stages(needs).splitlines() == [
        "flowchart LR",
        '    alone["alone"]',
        '    fetch["fetch@SOURCE"]',
        '    a["a"]',
        '    b["b@TASK"]',
        "    fetch --> a",
        "    a --> b",
    ]


def test_a_stage_whose_instances_need_each_other_is_one_node():
    needs = {"pretrain@x": {"corpus"}, "pretrain@y": {"pretrain@x"}, "corpus": set()}
    assert draw_stages(needs).splitlines()[-1] == "    corpus --> pretrain"


@given(st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6)).filter(lambda edge: edge[0] < edge[1])))
def test_reachability_stays_and_no_edge_is_superfluous(edges):
    text = draw_stages({f"s{at}": {f"s{left}" for left, right in edges if right == at} for at in range(7)})
    drawn = {(int(left), int(right)) for left, right in re.findall(r"s(\d) --> s(\d)", text)}
    assert reach(drawn) == reach(edges)
    assert all(reach(drawn - {edge}) != reach(edges) for edge in drawn)
    order = [int(at) for at in re.findall(r"s(\d)\[", text)]
    assert sorted(order) == list(range(7))
    assert all(order.index(left) < order.index(right) for left, right in edges)


def reach(edges):
    reached = set(edges)
    for _ in range(7):
        reached |= {(left, far) for left, middle in reached for near, far in reached if near == middle}
    return reached


@given(st.text(alphabet="abc\n<-!"), st.text(alphabet="xyz\n"))
def test_a_part_is_replaced_and_replacing_twice_is_once(around, content):
    text = f"{around}<!-- p -->\nold\n<!-- /p -->{around}"
    once = replace_part(text, "p", content)
    assert once == f"{around}<!-- p -->\n{content.strip()}\n<!-- /p -->{around}"
    assert replace_part(once, "p", content) == once


def test_a_missing_part_or_table_is_named():
    with pytest.raises(UsageError, match="<!-- p -->"):
        replace_part("nothing", "p", "x")
    with pytest.raises(UsageError, match="no table"):
        first_table("# Title\n")


@pytest.mark.parametrize("word", re.findall(r"^(make [a-z-]+)$", README, flags=re.MULTILINE))
def test_every_make_target_named_exists(word):
    assert re.search(rf"^{word.removeprefix('make ')}:", Path("Makefile").read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize("link", re.findall(r"\]\((?!https?:)([^)#]+)", README))
def test_every_link_leads_somewhere(link):
    assert Path(link).exists()
