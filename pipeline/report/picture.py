"""The picture of the stages: an SVG file, from what needs no other stage down to the report."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

from markupsafe import Markup

from pipeline.report.charts.svg import element, image, label

# The placeholder for the instances of a stage; TASK for all others.
INSTANCE_NAMES = {
    "fetch": "SOURCE",
    "pretrain": "ENCODER",
    "start": "ARM",
    "rival": "CELL",
    "study": "CELL",
    "track": "TRACKER",
}
# In the units of the picture: one box and the middles of two neighbours.
BOX_WIDTH, BOX_HEIGHT, ACROSS, DOWN = 124.0, 28.0, 142.0, 52.0
STYLE = """
text { font: 12px ui-monospace, monospace; fill: #1f2430; }
rect { fill: #fff; stroke: #5566aa; rx: 6px; }
path { fill: none; stroke: #8890a8; stroke-width: 1.5; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6e8f0; } rect { fill: #20242f; stroke: #8fa2ee; } path { stroke: #7b839c; }
}
"""
Edges = set[tuple[str, str]]


def reduce_stages(needs: Mapping[str, Iterable[str]]) -> tuple[list[str], Edges]:
    """Return the stages in topological order, then by name, and which needs which, given what each needs directly.

    All instances of a stage are one: `ingest@spam` is `ingest@TASK`. An edge is left out if a longer path connects its
    ends.
    """
    import networkx as nx  # noqa: PLC0415  # a quarter of a second that only this command pays

    titles = {stage.partition("@")[0]: _title(stage) for stage in needs}
    graph = nx.DiGraph()
    graph.add_nodes_from(titles.values())
    pairs = ((titles[need.partition("@")[0]], _title(stage)) for stage in needs for need in needs[stage])
    graph.add_edges_from((left, right) for left, right in pairs if left != right)  # instances may need each other
    return list(nx.lexicographical_topological_sort(graph)), set(nx.transitive_reduction(graph).edges)


def _title(stage: str) -> str:
    name, is_instance, _ = stage.partition("@")
    return f"{name}@{INSTANCE_NAMES.get(name, 'TASK')}" if is_instance else name


def place_stages(order: Iterable[str], edges: Edges) -> tuple[dict[str, tuple[float, int]], list[list[str]]]:
    """Return for each stage how far it is from the middle and from the top, and the stages and bends of each edge.

    A stage stands in the row below the last of those that it needs. An edge over several rows bends in each between,
    in a place of its own.

    Source: Sugiyama, Tagawa and Toda (1981), IEEE Transactions on Systems, Man, and Cybernetics 11(2).
    """
    rows: dict[str, int] = {}
    for stage in order:
        rows[stage] = max((rows[upper] + 1 for upper, lower in edges if lower == stage), default=0)
    paths = []
    for upper, lower in sorted(edges):
        bends = {f"{upper} {lower} {row}": row for row in range(rows[upper] + 1, rows[lower])}
        rows |= bends
        paths.append([upper, *bends, lower])
    middles = _spread(rows, {pair for path in paths for pair in itertools.pairwise(path)})
    return {name: (middles[name], row) for name, row in rows.items()}, paths


def _spread(rows: Mapping[str, int], steps: Edges) -> dict[str, float]:
    """Return a place in its row for each name, in the order of the mean places of those above it."""
    above: dict[str, list[str]] = {name: [] for name in rows}
    for upper, lower in sorted(steps):
        above[lower].append(upper)
    places: dict[str, float] = {}
    for row in sorted(set(rows.values())):
        inside = sorted(name for name in rows if rows[name] == row)
        inside.sort(key=lambda name: fmean(places[upper] for upper in above[name]) if above[name] else 0.0)
        places |= {name: at - (len(inside) - 1) / 2 for at, name in enumerate(inside)}
    return places


def draw_stages(needs: Mapping[str, Iterable[str]]) -> str:
    """Return the picture of the stages as the text of an SVG file, given the stages that each needs directly."""
    order, edges = reduce_stages(needs)
    places, paths = place_stages(order, edges)
    furthest = max((across for across, _ in places.values()), default=0.0)
    points = {
        name: ((across + furthest) * ACROSS + BOX_WIDTH / 2 + 2, down * DOWN + BOX_HEIGHT / 2 + 2)
        for name, (across, down) in places.items()
    }
    width = 2 * furthest * ACROSS + BOX_WIDTH + 4
    height = max((y for _, y in points.values()), default=0.0) + BOX_HEIGHT / 2 + 2
    parts = [element("style", Markup(STYLE))]  # noqa: S704 - a constant
    parts += [element("path", d=_trace([points[name] for name in path])) for path in paths]
    parts += [part for name in order for part in _draw_box(name, *points[name])]
    words = "; ".join(f"{lower} needs {upper}" for upper, lower in sorted(edges))
    drawn = str(image(width, height, *parts, title="The stages", description=words))
    return drawn.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1) + "\n"


def _trace(points: Sequence[tuple[float, float]]) -> str:
    """Return the path down from box to box through the points, upright at each."""
    steps = [f"M{points[0][0]:g},{points[0][1]:g}"]
    for (x, y), (to_x, to_y) in itertools.pairwise(points):
        middle = (y + to_y) / 2
        steps.append(f"C{x:g},{middle:g} {to_x:g},{middle:g} {to_x:g},{to_y:g}")
    return " ".join(steps)


def _draw_box(name: str, x: float, y: float) -> tuple[Markup, Markup]:
    box = element("rect", x=x - BOX_WIDTH / 2, y=y - BOX_HEIGHT / 2, width=BOX_WIDTH, height=BOX_HEIGHT)
    return box, label(x, y + 4, name, anchor="middle")
