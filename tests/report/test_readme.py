import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import UsageError
from pipeline.core.stage import STAGES
from pipeline.report.readme import collapse, overview, replaced

README = Path("README.md").read_text(encoding="utf-8")


def between(part: str) -> str:
    found = re.search(rf"<!-- {part} -->\n(.*?)\n<!-- /{part} -->", README, flags=re.DOTALL)
    assert found, part
    return found.group(1)


def test_the_picture_is_the_graph_that_dvc_sees():
    told = subprocess.run(
        [str(Path(sys.executable).parent / "dvc"), "dag", "--mermaid"], capture_output=True, text=True, check=True
    ).stdout
    assert between("picture") == f"```mermaid\n{collapse(told)}\n```"


def test_the_table_of_stages_has_each_of_them_once():
    table = README.partition("| stage | does |")[2].partition("\n\n")[0]
    assert sorted(re.findall(r"^\| `([a-z]+)` \|", table, flags=re.MULTILINE)) == sorted(STAGES)


def test_the_table_is_that_of_the_report():
    """Of the one that is there, or of the one in Git where this machine has made another since."""
    there = Path("data/report.md").read_text(encoding="utf-8")
    kept = subprocess.run(["git", "show", "HEAD:data/report.md"], capture_output=True, text=True, check=True).stdout
    assert between("results") in (overview(there), overview(kept))


def test_instances_collapse_and_the_longest_ways_stay():
    mermaid = """flowchart TD
        node1["b@x"]
        node2["b@y"]
        node3["a"]
        node4["fetch@s"]
        node3-->node1
        node3-->node2
        node4-->node3
        node4-->node2
    """
    assert collapse(mermaid).splitlines() == [
        "flowchart LR",
        '    fetch["fetch@SOURCE"]',
        '    a["a"]',
        '    b["b@TASK"]',
        "    fetch --> a",
        "    a --> b",
    ]


@given(st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6)).filter(lambda edge: edge[0] < edge[1])))
def test_what_reaches_what_stays_and_no_edge_says_it_twice(edges):
    nodes = "".join(f'    n{at}["s{at}"]\n' for at in range(7))
    told = collapse("flowchart TD\n" + nodes + "".join(f"    n{left}-->n{right}\n" for left, right in edges))
    drawn = {(int(left), int(right)) for left, right in re.findall(r"s(\d) --> s(\d)", told)}
    assert reach(drawn) == reach(edges)
    assert all(reach(drawn - {edge}) != reach(edges) for edge in drawn)


def reach(edges):
    found = set(edges)
    for _ in range(7):
        found |= {(left, far) for left, middle in found for near, far in found if near == middle}
    return found


@given(st.text(alphabet="abc\n<-!"), st.text(alphabet="xyz\n"))
def test_a_part_is_replaced_and_replacing_twice_is_once(around, content):
    text = f"{around}<!-- p -->\nold\n<!-- /p -->{around}"
    once = replaced(text, "p", content)
    assert once == f"{around}<!-- p -->\n{content.strip()}\n<!-- /p -->{around}"
    assert replaced(once, "p", content) == once


def test_a_missing_part_or_table_is_named():
    with pytest.raises(UsageError, match="<!-- p -->"):
        replaced("nothing", "p", "x")
    with pytest.raises(UsageError, match="no table"):
        overview("# Title\n")


@pytest.mark.parametrize("word", re.findall(r"^(make [a-z-]+)$", README, flags=re.MULTILINE))
def test_every_make_target_named_exists(word):
    assert re.search(rf"^{word.removeprefix('make ')}:", Path("Makefile").read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize("link", re.findall(r"\]\((?!https?:)([^)#]+)", README))
def test_every_link_leads_somewhere(link):
    assert Path(link).exists()
