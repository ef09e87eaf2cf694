"""Curves in block characters, for places that show text only: a comment, a terminal, an e-mail."""

from collections.abc import Sequence

from pipeline.core.format import count, share
from pipeline.diff.document import Bin, Curves, LossPoint

EIGHTHS = " ▏▎▍▌▋▊▉█"
LEVELS = "▁▂▃▄▅▆▇█"
TEXT_BAR_WIDTH = 12


def text_bar(value: float, width: int = TEXT_BAR_WIDTH) -> str:
    """Return a share in [0, 1] as a bar of `width` characters, to an eighth of one; other values are clipped."""
    eighths = round(min(1.0, max(0.0, value)) * width * 8)
    whole, part = divmod(eighths, 8)
    return ("█" * whole + (EIGHTHS[part] if part else "")).ljust(width)


def sparkline(values: Sequence[float], low: float, high: float) -> str:
    """Return one character a value, rising from `low` to `high`; all the same if the range is empty."""
    top = len(LEVELS) - 1
    return "".join(LEVELS[round((value - low) / (high - low) * top) if high > low else 0] for value in values)


def render_calibration(base: Curves, head: Curves) -> str:
    """Return the share right by confidence of both models, empty if neither was measured."""
    old, new = ({row.low: row for row in side.calibration} for side in (base, head))
    if not (old or new):
        return ""
    header = f"confidence   {'base: share right':<26}   {'head: share right':<26}".rstrip()
    lines = [
        f"from {low:<4.2g}    {_render_bin(old.get(low))}   {_render_bin(new.get(low))}".rstrip()
        for low in sorted({*old, *new})
    ]
    return "\n".join([header, *lines])


def render_learning(base: Curves, head: Curves) -> str:
    """Return the validation loss in the course of both trainings, empty if neither is known."""
    curves = {"base": _losses(base.learning), "head": _losses(head.learning)}
    values = [loss for points in curves.values() for _, loss in points]
    if not values:
        return ""
    lines = ["validation loss"]
    for name, points in curves.items():
        if points:
            line = sparkline([loss for _, loss in points], min(values), max(values))
            step, lowest = min(points, key=lambda point: point[1])
            lines.append(f"{name}   {line}   lowest {share(lowest)} at step {count(step)} of {count(points[-1][0])}")
    return "\n".join(lines)


def _losses(points: Sequence[LossPoint]) -> list[tuple[int, float]]:
    return [(point.step, point.loss) for point in points if point.loss is not None]


def _render_bin(row: Bin | None) -> str:
    if row is None:
        return " " * (TEXT_BAR_WIDTH + 14)
    return f"{text_bar(row.right)} {share(row.right)} {'of ' + count(row.count):<8}"
