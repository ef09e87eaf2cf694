"""Words of the overview: those of the kind if all tasks are alike, and general ones if they are not."""

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.report.kind import Task

MCNEMAR, BOOTSTRAP = "McNemar's test", "a paired bootstrap"
_COUNTED = {
    MCNEMAR: "McNemar's test counts only the test examples that exactly one of the two models gets right.",
    BOOTSTRAP: "A paired bootstrap draws test examples with repeats, the same for both models, and counts the draws "
    "without the gain.",
}


class SharedWords(NamedTuple):
    """What the overview calls the headline metric, the cheap baseline, the unit of gains, and the test of them.

    `points` says what the unit of gains is, `share` what a point is 0.01 of (empty if no gain is in points), `counted`
    what the test counts, and `probe` whether a task has a probe.
    """

    headline: str
    cheap: str
    cheap_title: str
    unit: str
    points: str
    share: str
    test: str
    counted: str
    probe: bool


def share_words(tasks: Sequence[Task]) -> SharedWords:
    """Return the words for a table of these tasks."""
    pages = [task.page for task in tasks]
    units, tests = [page.headline.unit for page in pages], list(dict.fromkeys(map(_find_test, tasks)))
    shares = all(unit == "share" for unit in units)
    headline = _agree([page.headline.title for page in pages], "metric")
    point = headline if shares and headline != "metric" else "a share"
    return SharedWords(
        headline=headline,
        cheap=_agree([page.baselines.cheap.short for page in pages], "Cheap"),
        cheap_title=_agree([page.baselines.cheap.title for page in pages], "the cheap baseline"),
        unit="in points (0.01)" if shares else "in points (0.01) if it is a share",
        points=f"in points, 0.01 of {point} each" if shares else f"of shares in points, 0.01 of {point} each",
        share=point if "share" in units else "",
        test=" or ".join(tests),
        counted=" ".join(_COUNTED[test] for test in tests),
        probe=any(page.baselines.probe is not None for page in pages),
    )


def _find_test(task: Task) -> str:
    """Return the name of the test of the gains in the headline metric of a task."""
    own = any("p_value" in comparison[task.page.headline.name] for comparison in task.evaluation["comparisons"])
    return BOOTSTRAP if own else MCNEMAR


def _agree(words: Sequence[str], otherwise: str) -> str:
    """Return the one word of all, or another one."""
    return words[0] if len({*words}) == 1 else otherwise
