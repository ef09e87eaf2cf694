"""Words that several tasks share, of kinds with other tests, units and baselines."""

import pytest

from pipeline.kinds.question_answering.page import PAGE as READING
from pipeline.kinds.text_regression.page import PAGE as NUMBERS
from pipeline.report.words import BOOTSTRAP, MCNEMAR, share_words
from tests.given.reporting import make_task

CLASSES = make_task()


def judged_by_bootstrap(page):
    """Return a task of another kind, whose headline has a p value of its own."""
    task = make_task()
    name = page.headline.name
    rows = [{**row, name: {**row["accuracy"], "p_value": 0.5}} for row in task.evaluation["comparisons"]]
    return task._replace(page=page, evaluation={**task.evaluation, "comparisons": rows})


@pytest.mark.parametrize(
    ("tasks", "test", "share", "probe"),
    [
        ([CLASSES], MCNEMAR, "accuracy", True),
        ([judged_by_bootstrap(NUMBERS)], BOOTSTRAP, "", True),
        ([judged_by_bootstrap(READING)], BOOTSTRAP, "F1", False),
        ([CLASSES, judged_by_bootstrap(READING)], f"{MCNEMAR} or {BOOTSTRAP}", "a share", True),
    ],
    ids=["classes", "numbers", "answers", "two kinds"],
)
def test_only_what_holds_for_these_tasks_is_said(tasks, test, share, probe):
    words = share_words(tasks)
    assert (words.test, words.share, words.probe) == (test, share, probe)
    assert ("exactly one" in words.counted) == (CLASSES in tasks)
    assert ("repeats" in words.counted) == (tasks[-1] is not CLASSES)
