"""The charts of a search: the best score by trial, the score by the value of each key, the importance of the keys."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from pipeline.core.document import Document
from pipeline.core.format import plural, share
from pipeline.report.charts.svg import (
    CHART_WIDTH,
    Scale,
    draw_levels,
    element,
    image,
    label,
    left_margin,
    line,
    mark,
    name_ticks,
    polyline,
    scale,
    text_width,
    ticks,
)

_TOP, _FLOOR, _RIGHT = 12.0, 152.0, CHART_WIDTH - 12
_ROOM = 0.08  # beyond the lowest and the highest score, as a share of the range
BAR_HEIGHT, BAR_STEP = 12.0, 24.0
_WHOLE, _DROPPED = 3.5, 1.75  # radius of the dot of a trial
_ENDS = 3  # ticks of an axis of numbers
_FEW = 8  # whole numbers, each of which is a tick


def draw_search_history(trials: Sequence[Document], *, metric: str, lower: bool) -> Markup:
    """Return the score of each trial, and the best until then as a line; one that diverged is a mark below."""
    y, levels = _score_axis(trials)
    x = scale((0, max(len(trials) - 1, 1)), (_start(levels) + 8, _RIGHT - 8))
    best = _best_until(trials, lower=lower)
    corners = [(x(at), y(value)) for at, value in best]
    stairs = [corner for left, right in itertools.pairwise(corners) for corner in (left, (right[0], left[1]))]
    dots = [(x(at), trial) for at, trial in enumerate(trials)]
    return image(
        CHART_WIDTH,
        _FLOOR + 38,
        _frame(levels, y, metric),
        polyline([*stairs, *corners[-1:]], "third line"),
        *(_dot(at, trial, y) for at, trial in dots),
        *(label(x(at), _FLOOR + 16, str(at + 1), anchor="middle") for at in _round_places(len(trials))),
        label((x(0) + _RIGHT) / 2, _FLOOR + 33, "trial (line: the best so far)", kind="axis", anchor="middle"),
        title="Scores by trial",
        description=f"{plural(len(trials), 'trial')}; the best {metric} is {share(best[-1][1]) if best else 'none'}.",
    )


def draw_slice(key: str, bounds: Document, trials: Sequence[Document], *, metric: str) -> Markup:
    """Return the score of each trial by its value of one key; trials without that key are left out."""
    own = [trial for trial in trials if key in trial["values"]]
    y, levels = _score_axis(trials)
    start = _start(levels) + 8
    spots, names = _place_values(bounds, [trial["values"][key] for trial in own], (start, _RIGHT - 8))
    return image(
        CHART_WIDTH,
        _FLOOR + 38,
        _frame(levels, y, metric),
        *(_dot(at, trial, y) for at, trial in zip(spots, own, strict=True)),
        *(label(at, _FLOOR + 16, name, anchor="middle") for at, name in names),
        label(
            (start + _RIGHT) / 2,
            _FLOOR + 33,
            key + (" (log)" if bounds.get("log") else ""),
            kind="axis",
            anchor="middle",
        ),
        title=f"Scores by {key}",
        description=f"{plural(len(own), 'trial')} with {key}.",
    )


def draw_importance(importance: Document) -> Markup:
    """Return a bar for each key: the share of the variance of the scores that it explains."""
    start = max(map(text_width, importance)) + 8
    x = scale((0, 1), (start, CHART_WIDTH - 44))
    rows = [(BAR_STEP * at + 6, key, value) for at, (key, value) in enumerate(importance.items())]
    return image(
        CHART_WIDTH,
        BAR_STEP * len(rows) + 6,
        *(
            label(start - 8, top + 10, key, anchor="end")
            + element("rect", x=start, y=top, width=max(x(value) - start, 1.0), height=BAR_HEIGHT, class_="first bar")
            + label(x(value) + 6, top + 10, share(value))
            for top, key, value in rows
        ),
        title="Importance of the keys",
        description=" ".join(f"{key}: {share(value)}." for _, key, value in rows),
    )


# ------------------------------------------------------------------------------------------------ parts
def _score_axis(trials: Sequence[Document]) -> tuple[Scale, list[float]]:
    """Return the scale of the scores, which all charts of a search share, and its ticks."""
    scores = [trial["score"] for trial in trials if trial["score"] is not None] or [0.0, 1.0]
    room = _ROOM * (max(scores) - min(scores)) or 0.05
    low, high = min(scores) - room, max(scores) + room
    return scale((low, high), (_FLOOR - 12, _TOP)), ticks(low, high, most=4)


def _start(levels: Sequence[float]) -> float:
    return left_margin(name_ticks(levels))


def _frame(levels: Sequence[float], y: Scale, metric: str) -> Markup:
    start = _start(levels)
    return (
        draw_levels(levels, y, start=start, stop=_RIGHT)
        + line(start, _FLOOR, _RIGHT, _FLOOR, "base")
        + label(11, (_TOP + _FLOOR) / 2, metric, kind="axis", anchor="middle", turn=-90)
    )


def _dot(x: float, trial: Document, y: Scale) -> Markup:
    if trial["score"] is None:
        return mark("diamond", x, _FLOOR - 5, "second spot", size=_WHOLE)
    return mark("circle", x, y(trial["score"]), "first spot", size=_DROPPED if _is_dropped(trial) else _WHOLE)


def _is_dropped(trial: Document) -> bool:
    return trial["rung"] is not None


def _best_until(trials: Sequence[Document], *, lower: bool) -> list[tuple[int, float]]:
    """Return the place of each trial with a score, and the best score until then, of those that were not dropped."""
    best: list[tuple[int, float]] = []
    for at, trial in enumerate(trials):
        if trial["score"] is not None and not _is_dropped(trial):
            choose = min if lower else max
            best.append((at, choose(trial["score"], best[-1][1]) if best else trial["score"]))
    return best


def _round_places(count: int) -> list[int]:
    """Return the places of at most five trials to number, the first and round ones."""
    return sorted({0, *(int(tick) - 1 for tick in ticks(1, max(count, 2)) if tick == round(tick) and tick <= count)})


def _place_values(
    bounds: Document, values: Sequence[Any], edges: tuple[float, float]
) -> tuple[list[float], list[tuple[float, str]]]:
    """Return the place of each value between two edges, and the places of the axis with their names.

    A value outside the bounds, which only the default has, stands at the edge.
    """
    if "choices" in bounds:
        choices = bounds["choices"]
        x = scale((-0.5, len(choices) - 0.5), edges)
        inside = [choices.index(value) if value in choices else -0.5 for value in values]
        return [x(at) for at in inside], [(x(at), _name(choice)) for at, choice in enumerate(choices)]
    low, high = bounds["low"], bounds["high"]
    warp = math.log if bounds["log"] else float
    x = scale((warp(low), warp(high)), edges)
    whole = isinstance(low, int) and high - low <= _FEW
    names = [low, high] if bounds["log"] else [*range(low, high + 1)] if whole else ticks(low, high, most=_ENDS)
    return [x(warp(min(max(value, low), high))) for value in values], [(x(warp(at)), f"{at:g}") for at in names]


def _name(choice: object) -> str:
    return "null" if choice is None else str(choice).lower() if isinstance(choice, bool) else str(choice)
