"""The parts of the README that are made from the project itself: the picture of the stages and the table of results."""

import re

from pipeline.core.errors import UsageError

# What the instances of a stage are; else tasks.
KINDS = {
    "fetch": "SOURCE",
    "pretrain": "ENCODER",
    "start": "ARM",
    "rival": "CELL",
    "study": "CELL",
}
_NODE = re.compile(r'(\w+)\["([^"]+)"\]')
_EDGE = re.compile(r"(\w+)-->(\w+)")


def collapse(mermaid: str) -> str:
    """Return the graph of `dvc dag --mermaid` with the instances of a stage (`ingest@spam`, ...) drawn as one.

    Stages come in the order of the pipeline. An edge is left out where a longer way says the same.
    """
    names = {node: label.partition("@") for node, label in _NODE.findall(mermaid)}
    stages = dict.fromkeys(f"{stage}@{_kind(stage)}" if at else stage for stage, at, _ in names.values())
    edges = {(names[left][0], names[right][0]) for left, right in _EDGE.findall(mermaid)}
    order = _sorted(sorted(stage.partition("@")[0] for stage in stages), edges)
    edges = _needed(order, edges)
    shown = {stage.partition("@")[0]: stage for stage in stages}
    lines = ["flowchart LR"]
    lines += [f'    {stage}["{shown[stage]}"]' for stage in order]
    lines += [f"    {left} --> {right}" for left in order for right in order if (left, right) in edges]
    return "\n".join(lines)


def replaced(text: str, part: str, content: str) -> str:
    """Return `text` with what stands between `<!-- part -->` and `<!-- /part -->` replaced by `content`.

    Raises:
        UsageError: The two marks are not there once each, in this order.
    """
    before, start, rest = text.partition(f"<!-- {part} -->\n")
    _, end, after = rest.partition(f"<!-- /{part} -->")
    if not (start and end):
        raise UsageError(f"the text has no `<!-- {part} -->` ... `<!-- /{part} -->`")
    return f"{before}{start}{content.strip()}\n{end}{after}"


def overview(summary: str) -> str:
    """Return the first table of the report's Markdown.

    Raises:
        UsageError: There is none.
    """
    table = re.search(r"^\|.*(?:\n\|.*)+", summary, flags=re.MULTILINE)
    if table is None:
        raise UsageError("the report's summary holds no table; run `dvc repro`")
    return table.group()


def _kind(stage: str) -> str:
    return KINDS.get(stage, "TASK")


def _sorted(stages: list[str], edges: set[tuple[str, str]]) -> list[str]:
    """Return the stages so that every edge points forward; of those that may come next, the first by name."""
    order: list[str] = []
    while len(order) < len(stages):
        ready = [
            stage
            for stage in stages
            if stage not in order and all(left in order for left, right in edges if right == stage)
        ]
        order.append(ready[0])
    return order


def _needed(order: list[str], edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the edges that no longer way replaces: the transitive reduction of a graph without circles."""
    reached: dict[str, set[str]] = {}
    for stage in reversed(order):
        after = {right for left, right in edges if left == stage}
        reached[stage] = after.union(*(reached[right] for right in after))
    return {
        (left, right)
        for left, right in edges
        if not any(right in reached[middle] for start, middle in edges if start == left)
    }
