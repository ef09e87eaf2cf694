"""Advice on a task from its numbers: which model to take, and what to do next."""

import math
from statistics import NormalDist
from typing import NamedTuple

from pipeline.core.document import Document
from pipeline.core.format import ABSENT, count, p_phrase, plural, points, share, size_in_points
from pipeline.evaluate.estimate import REAL_GAIN, UNMEASURED, Estimate, wilson_interval
from pipeline.report.verdict import Gain, Quote, Task, accuracy_gain, failed_checks, read_estimate, read_gain

# The models by their cost, the cheapest first.
TFIDF, PROBE, FINE_TUNED = "TF-IDF + logistic regression", "the probe on the frozen encoder", "the fine-tuned model"
SHORT_TITLES = {TFIDF: "TF-IDF", PROBE: "probe", FINE_TUNED: "fine-tuned", None: ABSENT}
# Recall of a class is too vague to act on if its interval is wider: 0.7 and 1.0 would be the same.
WIDEST_RECALL = 0.3
# Training loss is a mean over the pass, with dropout and smoothing, and so too high; only a large gap says something.
OVERFIT_RATIO = 2.0
MOST_NAMES = 3


class Advice(NamedTuple):
    """One thing to do or to know: its subject, one or two sentences, and the section of the page that shows why."""

    subject: str
    text: str
    section: str


def advise(task: Task, study: Document | None = None, *, quote: Quote = str) -> list[Advice]:
    """Return what to do next, the model to take first; what needs no attention is left out.

    `study` is the task's part of a transfer study, None if there is none; `quote` makes free text safe.
    """
    labels = advise_from_study(task, study) if study else advise_from_losses(task)
    rest = (labels, _advise_on_classes(task, quote), _advise_on_suspects(task), _advise_on_checks(task, quote))
    return [_advise_on_model(task), *(advice for advice in rest if advice)]


# ------------------------------------------------------------------------------------------------ the model
def choose_model(evaluation: Document) -> str | None:
    """Return the cheapest model unless a dearer one is proven better than it; None if nothing was measured."""
    if accuracy_gain(evaluation).outcome == UNMEASURED:
        return None
    over_probe, over_tfidf = accuracy_gain(evaluation, "probe"), accuracy_gain(evaluation)
    if probe_gain(evaluation).outcome == REAL_GAIN:
        return FINE_TUNED if over_probe.outcome == REAL_GAIN else PROBE
    return FINE_TUNED if over_tfidf.outcome == REAL_GAIN else TFIDF


def probe_gain(evaluation: Document) -> Gain:
    """Return the accuracy of the probe minus that of TF-IDF."""
    return read_gain(evaluation["probe_over_tfidf"], evaluation["confidence"])


def _advise_on_model(task: Task) -> Advice:
    evaluation = task.evaluation
    over_probe, probe = accuracy_gain(evaluation, "probe"), probe_gain(evaluation)
    gap = f"{points(probe.difference.value)} points{'' if probe.p is None else f', {p_phrase(probe.p)}'}"
    text = {
        None: "None can be chosen: accuracy was not compared.",
        TFIDF: f"Take {TFIDF}: neither fine-tuning nor the probe ({gap}) is proven better.",
        PROBE: f"Take {PROBE}: it is better than TF-IDF ({gap}), and fine-tuning is not proven to add to it.",
        FINE_TUNED: f"Take {FINE_TUNED}: it is better than TF-IDF"
        + (" and the probe." if over_probe.outcome == REAL_GAIN else ", though not proven better than the probe."),
    }[choose_model(evaluation)]
    if choose_model(evaluation) in (TFIDF, PROBE):
        text += f"{_describe_few(evaluation)} Only the fine-tuned model is saved, in data/model/{task.name}."
    if accuracy_gain(evaluation, "majority").outcome not in (REAL_GAIN, UNMEASURED):
        text += " But it is not proven better than always naming the largest class: the labels may not follow the text."
    return Advice("Model", text, "results")


def _describe_few(evaluation: Document) -> str:
    """Return that fine-tuning and TF-IDF differ on too few test rows for any test to tell, if so.

    Source: the exact test of McNemar has 2 * 0.5 ** n as its least p value for n rows.
    """
    (mcnemar,) = (row["mcnemar"] for row in evaluation["comparisons"] if row["against"] == "tfidf")
    differing = mcnemar["model_only"] + mcnemar["baseline_only"] if mcnemar else 0
    if not mcnemar or 2 * 0.5**differing < 1 - evaluation["confidence"]:
        return ""
    few = plural(differing, "test row")
    return f" Fine-tuning and TF-IDF differ on {few}, too few for any test to tell: label more test rows."


# ------------------------------------------------------------------------------------------------ more labels
def advise_from_study(task: Task, study: Document) -> Advice:
    """Return what more labels would bring, from the learning curve of the study's best arm."""
    best = max(study["arms"], key=lambda arm: float(arm["points"][-1]["accuracy"]["value"]))
    first, last = best["points"][max(len(best["points"]) - 2, 0)], best["points"][-1]
    few, many, present = first["train"], last["train"], task.history["examples"]["train"]
    old, new = (read_estimate(point["accuracy"]) for point in (first, last))
    if few == many or many < present / 2:
        text = (
            f"What more would bring is not known: the learning curve ends at {count(many)} of {count(present)} labels. "
            "Add larger numbers to study.labels."
        )
    elif old.high is not None and new.low is not None and new.low > old.high:
        gain = expect_gain(old, new, ratio=many / few)
        text = (
            f"More would help: from {count(few)} to {count(many)} accuracy rose from {share(old.value)} to "
            f"{share(new.value)}. If it goes on like this, {count(2 * many)} bring another {size_in_points(gain)}."
        )
    else:
        text = (
            f"More are not proven to help: with {count(few)} accuracy was {share(old.value)}, with {count(many)} "
            f"{share(new.value)}."
        )
    return Advice("More labels", text, "transfer")


def expect_gain(old: Estimate, new: Estimate, *, ratio: float) -> float:
    """Return the gain in accuracy of doubling the labels, if the error goes on falling as a power of their number.

    `ratio` is the number of labels behind `new` divided by that behind `old`.

    Source: Hestness et al. (2017), Deep Learning Scaling is Predictable, Empirically, arXiv:1712.00409.
    """
    before, after = (1 - (estimate.value or 0.0) for estimate in (old, new))
    return after * (1 - (after / before) ** (1 / math.log2(ratio))) if after else 0.0


def advise_from_losses(task: Task) -> Advice:
    """Return what the losses of training and validation say about more labels, without a learning curve."""
    best = task.history["best"]
    if best["train_loss"] * OVERFIT_RATIO <= best["loss"]:
        text = (
            "More would probably help: the model knows its training examples far better than others (loss "
            f"{share(best['train_loss'])} and {share(best['loss'])}). How many would show a study of fewer labels."
        )
    else:
        text = "Whether more would help is not known: no study of fewer labels belongs to this run."
    return Advice("More labels", text, "training")


# ------------------------------------------------------------------------------------------------ data
def find_vague_classes(evaluation: Document) -> list[tuple[str, int, Estimate]]:
    """Return the classes of which the test split says too little: name, test rows, recall with Wilson's interval."""
    classes = [(row, row["support"]) for row in evaluation["model"]["classes"]]
    recalls = [
        (str(row["label"]), rows, _estimate_recall(row, evaluation["confidence"]) if rows else Estimate(None, 0.0, 1.0))
        for row, rows in classes
    ]
    return [recall for recall in recalls if (recall[2].high or 0.0) - (recall[2].low or 0.0) > WIDEST_RECALL]


def _estimate_recall(row: Document, confidence: float) -> Estimate:
    return wilson_interval(round((read_estimate(row["recall"]).value or 0) * row["support"]), row["support"],
                           confidence=confidence)  # fmt: skip


def require_test_rows(confidence: float) -> int:
    """Return the test rows with which no interval of a recall is wider than `WIDEST_RECALL`.

    Source: the normal approximation at a recall of one half, its widest.
    """
    return math.ceil((NormalDist().inv_cdf((1 + confidence) / 2) / WIDEST_RECALL) ** 2)


def _advise_on_classes(task: Task, quote: Quote) -> Advice | None:
    vague = find_vague_classes(task.evaluation)
    names = [
        f"{quote(name)} ({plural(rows, 'test row')}, recall {share(recall.low)} to {share(recall.high)})"
        for name, rows, recall in vague
    ]
    enough = require_test_rows(task.evaluation["confidence"])
    text = (
        f"Too few test rows to judge {_list(names)}. {count(enough)} of a class are enough: label more, or raise "
        "ingest.shares.test."
    )
    return Advice("Classes", text, "classes") if vague else None


def _advise_on_suspects(task: Task) -> Advice | None:
    wrong, rivals = task.inspection["reasons"]["label"], task.inspection["reasons"]["duplicate"]
    kinds = [f"{count(wrong)} of {plural(task.inspection['rows'], 'label')} may be wrong"] if wrong else []
    kinds += [f"{plural(rivals, 'text')} with a near duplicate of another label"] if rivals else []
    file = f"{task.name}.csv"
    text = f"{', '.join(kinds)}: correct a copy of data/suspects/{file} in data/corrections, for ingest.corrections."
    return Advice("Label errors", text, "suspects") if kinds else None


def _advise_on_checks(task: Task, quote: Quote) -> Advice | None:
    failed = failed_checks(task.findings)
    critical = sum(check["severity"] == "critical" for check in failed)
    names = _list([quote(check["title"]) for check in failed])
    text = f"{plural(len(failed), 'check')} did not pass{f', {count(critical)} critical' if critical else ''}: {names}."
    return Advice("Checks", text, "checks") if failed else None


def _list(names: list[str]) -> str:
    """Return names in a row, `MOST_NAMES` at most and the number of the others."""
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {count(more)} more" if more > 0 else "")
