import math
import re

import pytest

from pipeline.commands.production import PRODUCTION
from pipeline.core.document import Document
from pipeline.core.format import ABSENT
from pipeline.report.advice import (
    CHEAP,
    FINE_TUNED,
    PROBE,
    advise,
    advise_from_losses,
    advise_from_study,
    choose_model,
    name_choice,
)
from pipeline.report.kind import Task
from tests.given.reporting import comparison, finding, make_task, unmeasured

GAIN, CHANCE, LOSS = (0.05, 0.02, 0.001), (0.01, 0.02, 0.4), (-0.05, 0.02, 0.001)
Numbers = tuple[float, float, float]


def measure(over_tfidf: Numbers, over_probe: Numbers, probe_over_tfidf: Numbers, majority: Numbers = GAIN) -> Task:
    """Return a task with these differences, half widths and p values."""
    task = make_task()
    pairs = (("tfidf", over_tfidf), ("probe", over_probe), ("majority", majority))
    task.evaluation["comparisons"] = [comparison(name, *numbers) for name, numbers in pairs]
    task.evaluation["probe_over_tfidf"] = comparison("tfidf", *probe_over_tfidf)
    return task


def subjects(task: Task) -> list[str]:
    return [advice.subject for advice in advise(task)]


# ------------------------------------------------------------------------------------------------ the model
@pytest.mark.parametrize(
    ("over_tfidf", "over_probe", "probe_over_tfidf", "choice"),
    [
        (GAIN, GAIN, CHANCE, FINE_TUNED),
        (GAIN, GAIN, GAIN, FINE_TUNED),
        (GAIN, CHANCE, CHANCE, FINE_TUNED),  # of the three, only it is proven better than anything
        (GAIN, CHANCE, GAIN, PROBE),
        (CHANCE, LOSS, GAIN, PROBE),
        (CHANCE, CHANCE, CHANCE, CHEAP),
        (CHANCE, GAIN, LOSS, CHEAP),
        (LOSS, LOSS, CHANCE, CHEAP),
    ],
)
def test_the_cheapest_is_taken_unless_a_dearer_one_is_proven_better(
    over_tfidf: Numbers, over_probe: Numbers, probe_over_tfidf: Numbers, choice: str
) -> None:
    task = measure(over_tfidf, over_probe, probe_over_tfidf)
    assert choose_model(task) == choice
    first = advise(task)[0]
    titles = {CHEAP: "TF-IDF + logistic regression"}
    assert first.text.startswith(f"Take {titles.get(choice, choice)}: ")
    assert (choice == CHEAP and probe_over_tfidf == LOSS) == ("the probe is proven worse" in first.text)
    assert (choice == CHEAP and over_tfidf == LOSS) == ("fine-tuning is proven worse" in first.text)
    assert ("not proven better than the probe" in first.text) == (choice == FINE_TUNED and over_probe == CHANCE)


@pytest.mark.parametrize(("rows", "few"), [((5, 0), True), ((0, 0), True), ((4, 2), False), ((60, 50), False)])
def test_a_test_split_on_which_no_test_could_tell_is_named(rows: tuple[int, int], few: bool) -> None:
    task = measure(CHANCE, CHANCE, CHANCE)
    task.evaluation["comparisons"][0]["mcnemar"] |= {"model_only": rows[0], "baseline_only": rows[1]}
    text = advise(task)[0].text
    assert ("label more test rows" in text) == few


def second_texts(task: Task) -> Task:
    task.evaluation["baselines"]["second"] = task.evaluation["baselines"]["tfidf"]
    task.evaluation["comparisons"].append(unmeasured("second"))
    return task


def test_what_is_to_be_taken_can_be_asked_or_the_next_best_is_named() -> None:
    task = measure(CHANCE, CHANCE, CHANCE)
    command = f"python -m pipeline predict {task.name} FILE --out answers.csv --backend linear"
    assert advise(task)[0].commands == (command,)
    assert advise(second_texts(task))[0].commands == (command,)
    unkept = measure(CHANCE, CHANCE, CHANCE)
    for other in (unkept._replace(page=unkept.page._replace(keeps_cheap=False)), measure(GAIN, CHANCE, GAIN)):
        assert "not kept" in advise(other)[0].text
        assert f"data/model/{task.name}" in advise(other)[0].text
    assert f"tasks.{task.name}.finetune.freeze_layers" in advise(measure(CHANCE, LOSS, GAIN))[0].text
    assert advise(measure(GAIN, GAIN, GAIN))[0].commands == ()


def test_the_command_of_the_advice_is_one() -> None:
    (command,) = advise(measure(CHANCE, CHANCE, CHANCE))[0].commands
    name, *words = command.removeprefix("python -m pipeline ").split()
    given = PRODUCTION.commands[name].make_context(name, words).params
    assert (given["model"], given["backend"]) == (make_task().name, "linear")


def test_nothing_is_taken_without_a_comparison() -> None:
    task = make_task()
    task.evaluation["comparisons"] = [unmeasured(name) for name in ("tfidf", "probe", "majority")]
    assert choose_model(task) is None
    assert "majority class" not in advise(task)[0].text
    assert name_choice(task) == ABSENT


def test_no_better_than_the_largest_class_is_said() -> None:
    assert "majority class" in advise(measure(CHANCE, CHANCE, CHANCE, majority=CHANCE))[0].text
    assert "majority class" not in advise(measure(CHANCE, CHANCE, CHANCE))[0].text


# ------------------------------------------------------------------------------------------------ more labels
def make_curve(*points: tuple[int, float], spread: float = 0.01) -> Document:
    """Return a study with a bad arm, and one with these numbers of labels and accuracies."""
    arms = (
        [{"train": labels, "accuracy": {"value": value, "low": value - spread, "high": value + spread}}
         for labels, value in ((labels, value * factor) for labels, value in points)]
        for factor in (0.5, 1.0)
    )  # fmt: skip
    return {"confidence": 0.95, "arms": [{"arm": name, "points": arm} for name, arm in zip("ab", arms, strict=True)]}


def trained_on(labels: int) -> Task:
    task = make_task()
    task.history["examples"]["train"] = labels
    return task


HALVED = tuple((500 * 4**at, 1 - 0.4 / 2**at) for at in range(4))  # with four times the labels half the error


def test_a_rising_curve_is_continued() -> None:
    advice = advise_from_study(trained_on(32_000), make_curve(*HALVED))
    assert advice.section == "transfer"
    assert "from 8,000 to 32,000 accuracy rose from 0.900 to 0.950" in advice.text
    gain = re.search(r"64,000 bring \+(\S+) \[\+(\S+), \+(\S+)\] points", advice.text)
    assert gain is not None
    value, low, high = map(float, gain.groups())
    assert low < value <= high  # a floor is not below 0, so no law promises more than that without one
    assert value == pytest.approx(100 * 0.05 * (1 - 1 / math.sqrt(2)), abs=0.06)


@pytest.mark.parametrize("points", [HALVED[1:], (*HALVED[:3], (32_000, 0.3))])
def test_a_curve_that_is_no_power_law_or_too_short_is_not_continued(points: tuple[tuple[int, float], ...]) -> None:
    text = advise_from_study(trained_on(32_000), make_curve(*points)).text
    assert "64,000 would bring cannot be told" in text
    assert "+" not in text


def test_a_flat_curve_promises_nothing() -> None:
    advice = advise_from_study(trained_on(8000), make_curve((2000, 0.8), (8000, 0.81), spread=0.02))
    assert "with 2,000 accuracy was 0.800, with 8,000 0.810" in advice.text
    assert "cannot be told" in advice.text


@pytest.mark.parametrize("points", [[(128, 0.5), (512, 0.9)], [(8000, 0.9)]])
def test_a_curve_that_ends_too_early_is_not_continued(points: list[tuple[int, float]]) -> None:
    advice = advise_from_study(trained_on(8000), make_curve(*points))
    assert "not known" in advice.text
    assert f"ends at {points[-1][0]:,} of 8,000 labels" in advice.text


@pytest.mark.parametrize(("train", "validation", "probably"), [(0.1, 0.2, True), (0.11, 0.2, False), (0.5, 0.2, False)])
def test_without_a_curve_only_a_large_gap_of_the_losses_says_something(
    train: float, validation: float, *, probably: bool
) -> None:
    task = make_task()
    task.history["best"] |= {"train_loss": train, "loss": validation}
    advice = advise_from_losses(task)
    assert ("probably help" in advice.text) == probably
    assert "python -m pipeline overlay profiles/study" in advice.commands
    assert advise(task)[1] == advice
    assert advise(task, make_curve((8463, 0.9)))[1].section == "transfer"


# ------------------------------------------------------------------------------------------------ data
def test_class_names_and_titles_are_quoted_and_cut_to_three() -> None:
    task = make_task(labels=("a", "b", "c", "d", "e"), matrix=((1, 0, 0, 0, 0),) * 5)
    task.findings["checks"] = [finding(f"check {at}", outcome="failed") for at in range(5)]
    texts = {advice.subject: advice.text for advice in advise(task, quote=str.upper)}
    assert "A (1 test row, recall " in texts["Classes"]
    assert "C (1 test row, " in texts["Classes"]
    assert "D (" not in texts["Classes"]
    assert "CHECK 0, CHECK 1, CHECK 2 and 2 more" in texts["Checks"]
    assert "5 critical" in texts["Checks"]


def test_what_needs_no_attention_is_left_out() -> None:
    task = make_task()
    assert subjects(task) == ["Model", "More labels", "Label errors", "Checks"]
    task.findings["checks"] = task.findings["checks"][:1]
    task.inspection["reasons"] = {"label": 0, "duplicate": 0, "outlier": 3}
    assert subjects(task) == ["Model", "More labels"]
    task.inspection["reasons"]["label"] = 7
    assert "7 of 10,640 labels" in advise(task)[2].text
    assert advise(task)[2].commands == ("python -m pipeline relabel reviews",)


def test_each_section_is_one_of_the_page() -> None:
    task = make_task(matrix=((4, 1), (77, 473)))
    assert {advice.section for advice in advise(task)} <= set(task.page.sections)


# ------------------------------------------------------------------------------------------------ pairs
@pytest.mark.parametrize(
    ("alone", "gain", "warned"),
    [(0.5, GAIN, False), (0.7, GAIN, False), (0.85, GAIN, True), (0.6, CHANCE, True), (0.9, LOSS, True)],
)
def test_a_second_text_that_tells_nearly_as_much_as_the_pair_is_a_warning(
    alone: float, gain: Numbers, *, warned: bool
) -> None:
    task = make_task()
    headline = task.page.headline.name
    baselines = task.evaluation["baselines"]
    task.evaluation["model"][headline] = {"value": 0.9, "low": None, "high": None, "reason": None}
    baselines["majority"][headline] = {"value": 0.5, "low": None, "high": None, "reason": None}
    assert "Pairs" not in subjects(task)  # of single texts
    baselines["second"] = {**baselines["tfidf"], headline: {"value": alone, "low": None, "high": None, "reason": None}}
    task.evaluation["comparisons"].append(comparison("second", *gain))
    assert ("Pairs" in subjects(task)) == warned
    task.evaluation["comparisons"][-1] = unmeasured("second")
    assert "Pairs" not in subjects(task)
