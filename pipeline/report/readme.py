"""Generated parts of the README: the picture of the stages and the table of results."""

import re
from collections.abc import Mapping

from pipeline.core.errors import REPRODUCE, UsageError

# The placeholder for the instances of a stage; TASK for all others.
INSTANCE_NAMES = {
    "fetch": "SOURCE",
    "pretrain": "ENCODER",
    "start": "ARM",
    "rival": "CELL",
    "study": "CELL",
}


def draw_stages(needs: Mapping[str, frozenset[str]]) -> str:
    """Return a Mermaid flowchart of the stages, given the stages that each needs directly.

    All instances of a stage are one node. Nodes are in topological order, then by name. An edge is left out if a longer
    path connects its ends.
    """
    import networkx as nx  # noqa: PLC0415  # a quarter of a second that only this command pays

    names = {stage: stage.partition("@")[0] for stage in needs}
    graph = nx.DiGraph()
    graph.add_nodes_from(names.values())
    pairs = ((names[need], names[stage]) for stage in needs for need in needs[stage])
    graph.add_edges_from((left, right) for left, right in pairs if left != right)  # instances may need each other
    order = list(nx.lexicographical_topological_sort(graph))
    edges = set(nx.transitive_reduction(graph).edges)
    titles = {names[stage]: _title(stage) for stage in needs}
    lines = ["flowchart LR"]
    lines += [f'    {stage}["{titles[stage]}"]' for stage in order]
    lines += [f"    {left} --> {right}" for left in order for right in order if (left, right) in edges]
    return "\n".join(lines)


def _title(stage: str) -> str:
    """Return the title of a stage's node: `ingest@spam` is `ingest@TASK`."""
    name, is_instance, _ = stage.partition("@")
    return f"{name}@{INSTANCE_NAMES.get(name, 'TASK')}" if is_instance else name


def replace_part(text: str, part: str, content: str) -> str:
    """Return `text` with everything between `<!-- part -->` and `<!-- /part -->` replaced by `content`.

    Raises:
        UsageError: A mark is missing, or they are not in this order.
    """
    before, start, rest = text.partition(f"<!-- {part} -->\n")
    _, end, after = rest.partition(f"<!-- /{part} -->")
    if not (start and end):
        raise UsageError(f"README: marks not found: `<!-- {part} -->` and `<!-- /{part} -->`. Restore them.")
    return f"{before}{start}{content.strip()}\n{end}{after}"


def first_table(summary: str) -> str:
    """Return the first table of the report's Markdown.

    Raises:
        UsageError: The text has no table.
    """
    table = re.search(r"^\|.*(?:\n\|.*)+", summary, flags=re.MULTILINE)
    if table is None:
        raise UsageError(f"report: no table in the summary. {REPRODUCE}")
    return table.group()
