"""What a gate says about a metric that changed.

A gate refuses a drop that is larger than allowed and larger than chance, and a value below the floor. A drop larger
than allowed that may be chance passes, and is said. Where there is no number to judge, nothing passes.
"""

from typing import get_args

from pipeline.core.format import p_phrase, share
from pipeline.diff.document import Headline, Judgement, Metric, Outcome
from pipeline.evaluate.paired import BETTER, smallest_drop
from pipeline.settings.task import Gate, Gates

METRICS: tuple[Headline, ...] = get_args(Headline)
WORDS = {"accuracy": "accuracy", "macro_f1": "macro-F1", "log_loss": "log loss", "brier": "Brier score", "ece": "ECE"}
SHARES = ("accuracy", "macro_f1")
DIGITS = 9  # 0.86 - 0.85 is a hair more than 0.01


def judge(gates: Gates, metrics: dict[str, Metric], *, spreads: dict[str, float], missing: str) -> list[Judgement]:
    """Return what each gate says.

    `spreads` holds the standard error of the difference of the metrics that were compared example by example;
    `missing` says why the base has no number, where it has none.
    """
    given = {name: getattr(gates, name) for name in METRICS}
    return [_judge(name, gate, metrics.get(name), spreads.get(name), missing) for name, gate in given.items() if gate]


def size(name: str, value: float) -> str:
    """Return a difference of a metric without its sign: shares in points, the others in their own unit."""
    if name not in SHARES:
        return share(abs(value))
    found = f"{100 * abs(value):.1f}"
    return f"{found} {'point' if found == '1.0' else 'points'}"


def _judge(name: Headline, gate: Gate, metric: Metric | None, spread: float | None, missing: str) -> Judgement:
    sees = None if spread is None else smallest_drop(spread, largest=gate.largest_drop, level=gate.level)
    outcome, reason = _outcome(name, gate, metric, sees, missing)
    return Judgement(
        metric=name,
        largest_drop=gate.largest_drop,
        level=gate.level,
        floor=gate.floor,
        sees=sees,
        outcome=outcome,
        reason=reason,
    )


def _outcome(
    name: Headline, gate: Gate, metric: Metric | None, sees: float | None, missing: str
) -> tuple[Outcome, str]:
    """Return the outcome and its reason; the order of the questions is the rule."""
    word, better = WORDS[name], BETTER[name]
    base, head = (metric.base, metric.head) if metric else (None, None)
    if head is None:
        lost = base is not None or gate.floor is not None
        return "failed" if lost else "unjudged", f"the head has no {word}"
    if gate.floor is not None and round(better * (head - gate.floor), DIGITS) < 0:
        side = "below" if better > 0 else "above"
        return "failed", f"{word} is {share(head)}, {side} the floor of {share(gate.floor)}"
    if metric is None or metric.difference is None:
        return "unjudged", f"{word} has nothing to be compared with: {missing}"
    return _of_drop(name, gate, round(-better * metric.difference, DIGITS), metric.p_worse, sees)


def _of_drop(name: Headline, gate: Gate, drop: float, p_worse: float | None, sees: float | None) -> tuple[Outcome, str]:
    """Return what a drop amounts to; `p_worse` is None where the models were not compared example by example."""
    word = WORDS[name]
    if drop <= 0:
        return "passed", f"{word} did not get worse"
    fell = f"{word} {'fell' if BETTER[name] > 0 else 'rose'} by {size(name, drop)}"
    if drop <= gate.largest_drop:
        return "passed", f"{fell}; {size(name, gate.largest_drop)} may be lost"
    fell += f", more than the {size(name, gate.largest_drop)} that may be lost"
    if p_worse is None:
        return "failed", f"{fell}; without the predictions of both it cannot be told from chance"
    if p_worse < gate.level:
        return "failed", f"{fell}, and that is not chance (one-sided {p_phrase(p_worse)})"
    seen = f"; a drop of {size(name, sees)} would be seen" if sees is not None else ""
    return "unproven", f"{fell}, but it may be chance (one-sided {p_phrase(p_worse)}){seen}"
