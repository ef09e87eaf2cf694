"""Curves as text, which shows wherever there are letters: in a comment, a terminal, an e-mail."""

from collections.abc import Sequence

from pipeline.core.format import count, share
from pipeline.diff.document import Bin, Curves, Evaluation

EIGHTHS = " ▏▎▍▌▋▊▉█"
LEVELS = "▁▂▃▄▅▆▇█"
WIDTH = 12


def bar(value: float, width: int = WIDTH) -> str:
    """Return a share in [0, 1] as a bar of `width` characters, to an eighth of one."""
    eighths = round(min(1.0, max(0.0, value)) * width * 8)
    whole, part = divmod(eighths, 8)
    return ("█" * whole + (EIGHTHS[part] if part else "")).ljust(width)


def levels(values: Sequence[float], low: float, high: float) -> str:
    """Return one character a value, rising from `low` to `high`; all alike where there is no range."""
    top = len(LEVELS) - 1
    return "".join(LEVELS[round((value - low) / (high - low) * top) if high > low else 0] for value in values)


def calibration_text(base: Curves, head: Curves) -> str:
    """Return how often the models are right against how sure they are; nothing where neither was measured."""
    old, new = ({one.low: one for one in side.calibration} for side in (base, head))
    if not (old or new):
        return ""
    head_line = f"confidence   {'base: share right':<26}   {'head: share right':<26}".rstrip()
    lines = [
        f"from {low:<4.2g}    {_bucket(old.get(low))}   {_bucket(new.get(low))}".rstrip()
        for low in sorted({*old, *new})
    ]
    return "\n".join([head_line, *lines])


def learning_text(base: Curves, head: Curves) -> str:
    """Return the loss on validation in the course of both trainings; nothing where neither is known."""
    losses = {"base": _losses(base.learning), "head": _losses(head.learning)}
    values = [loss for points in losses.values() for _, loss in points]
    if not values:
        return ""
    lines = ["validation loss"]
    for name, points in losses.items():
        if points:
            line = levels([loss for _, loss in points], min(values), max(values))
            best = min(points, key=lambda point: point[1])
            lines.append(
                f"{name}   {line}   lowest {share(best[1])} at step {count(best[0])} of {count(points[-1][0])}"
            )
    return "\n".join(lines)


def _losses(points: Sequence[Evaluation]) -> list[tuple[int, float]]:
    return [(one.step, one.loss) for one in points if one.loss is not None]


def _bucket(one: Bin | None) -> str:
    return " " * (WIDTH + 14) if one is None else f"{bar(one.right)} {share(one.right)} {'of ' + count(one.count):<8}"
