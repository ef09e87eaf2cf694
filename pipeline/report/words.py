"""Words of the overview: those of the kind if all tasks are alike, and general ones if they are not."""

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.report.kind import Task


class SharedWords(NamedTuple):
    """What the overview calls the headline metric, the cheap baseline, the unit of gains, and the test of them.

    `points` says what the unit of gains is, `share` what a point is 0.01 of.
    """

    headline: str
    cheap: str
    cheap_title: str
    unit: str
    points: str
    share: str
    test: str


def share_words(tasks: Sequence[Task]) -> SharedWords:
    """Return the words for a table of these tasks."""
    pages = [task.page for task in tasks]
    shares, exact = all(page.headline.unit == "share" for page in pages), all(map(_has_exact_test, tasks))
    headline = _agree([page.headline.title for page in pages], "metric")
    point = headline if shares and headline != "metric" else "a share"
    return SharedWords(
        headline=headline,
        cheap=_agree([page.baselines.cheap.short for page in pages], "Cheap"),
        cheap_title=_agree([page.baselines.cheap.title for page in pages], "the cheap baseline"),
        unit="in points (0.01)" if shares else "in points (0.01) if it is a share",
        points=f"in points, 0.01 of {point} each" if shares else f"of shares in points, 0.01 of {point} each",
        share=point,
        test="McNemar's test" if exact else "McNemar's test or a paired bootstrap",
    )


def _has_exact_test(task: Task) -> bool:
    return all("p_value" not in comparison[task.page.headline.name] for comparison in task.evaluation["comparisons"])


def _agree(words: Sequence[str], otherwise: str) -> str:
    """Return the one word of all, or another one."""
    return words[0] if len({*words}) == 1 else otherwise
