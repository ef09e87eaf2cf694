"""Advice on a task from its numbers: which model to take, and what to do next."""

from pipeline.core.document import Document
from pipeline.core.format import ABSENT, count, p_phrase, plural, points_and_interval, share
from pipeline.evaluate.estimate import REAL_GAIN, REAL_LOSS, UNMEASURED
from pipeline.report.kind import Advice, Quote, Task
from pipeline.report.power_law import forecast_gain, read_point
from pipeline.report.verdict import (
    Gain,
    failed_checks,
    format_difference,
    headline_gain,
    probe_gain,
    read_estimate,
)

# The models by their cost, the cheapest first.
CHEAP, PROBE, FINE_TUNED = "cheap", "the probe on the frozen encoder", "the fine-tuned model"
# Training loss is a mean over the pass, with dropout and smoothing, and so too high; only a large gap says something.
OVERFIT_RATIO = 2.0
# The second text alone is nearly as good as the pair with this share of the model's lead over the trivial baseline.
NEARLY_ALL = 0.8
MOST_NAMES = 3
_WORTH = ("not proven better", "proven worse")  # by whether a loss is proven
_STUDY = (
    "python -m pipeline overlay profiles/pretraining",
    "python -m pipeline overlay profiles/study",
    "make repro",
)


def advise(task: Task, study: Document | None = None, *, quote: Quote = str) -> list[Advice]:
    """Return what to do next, the model to take first; what needs no attention is left out.

    `study` is the task's part of a transfer study, None if there is none; `quote` makes free text safe.
    """
    labels = advise_from_study(task, study) if study else advise_from_losses(task)
    rest = (_advise_on_pairs(task), _advise_on_suspects(task), _advise_on_checks(task, quote))
    own = task.page.advise(task, quote)
    return [_advise_on_model(task), labels, *own, *(advice for advice in rest if advice)]


# ------------------------------------------------------------------------------------------------ the model
def choose_model(task: Task) -> str | None:
    """Return the cheapest model unless a dearer one is proven better than it; None if nothing was measured."""
    cheap, probe, *_ = task.page.baselines
    over_probe, over_cheap = headline_gain(task, probe), headline_gain(task, cheap)
    if over_cheap.outcome == UNMEASURED:
        return None
    if probe_gain(task).outcome == REAL_GAIN:
        return FINE_TUNED if over_probe.outcome == REAL_GAIN else PROBE
    return FINE_TUNED if over_cheap.outcome == REAL_GAIN else CHEAP


def name_choice(task: Task) -> str:
    """Return the short title of the model to take."""
    titles = {CHEAP: task.page.baselines.cheap.short, PROBE: "probe", FINE_TUNED: "fine-tuned", None: ABSENT}
    return titles[choose_model(task)]


def _advise_on_model(task: Task) -> Advice:
    metric, (cheap, own_probe, trivial, _) = task.page.headline, task.page.baselines
    choice, probe = choose_model(task), probe_gain(task)
    over_probe, over_cheap = headline_gain(task, own_probe), headline_gain(task, cheap)
    unit = " points" if metric.unit == "share" else ""
    by_chance = "" if probe.p is None else f", {p_phrase(probe.p)}"
    gap = f"{format_difference(metric, probe.difference.value)}{unit}{by_chance}"
    text = {
        None: f"None can be chosen: {metric.title} was not compared.",
        CHEAP: f"Take {cheap.title}: {_describe_dearer(over_cheap, probe, gap)}.",
        PROBE: f"Take {PROBE}: it is better than {cheap.short} ({gap}), and fine-tuning is not proven to add to it.",
        FINE_TUNED: f"Take {FINE_TUNED}: it is better than {cheap.short}"
        + (" and the probe." if over_probe.outcome == REAL_GAIN else ", though not proven better than the probe."),
    }[choice]
    if own_probe is None and choice in (CHEAP, FINE_TUNED):
        text = {
            CHEAP: f"Take {cheap.title}: fine-tuning is {_WORTH[over_cheap.outcome == REAL_LOSS]}.",
            FINE_TUNED: f"Take {FINE_TUNED}: it is better than {cheap.short}.",
        }[choice]
    if choice in (CHEAP, PROBE):
        text += _describe_few(task)
    if headline_gain(task, trivial).outcome not in (REAL_GAIN, UNMEASURED):
        text += f" But it is not proven better than the {trivial.title}: the answers may not follow the inputs."
    use, commands = _describe_use(task, choice) if choice in (CHEAP, PROBE) else ("", ())
    return Advice("Model", f"{text} {use}".rstrip(), "results", commands)


def _describe_dearer(model: Gain, probe: Gain, gap: str) -> str:
    """Return that fine-tuning and the probe, which is `gap` from the cheap baseline, are not better or even worse."""
    if REAL_LOSS not in (model.outcome, probe.outcome):
        return f"neither fine-tuning nor the probe ({gap}) is proven better"
    worth, probe_worth = (_WORTH[gain.outcome == REAL_LOSS] for gain in (model, probe))
    return f"fine-tuning is {worth}, the probe is {probe_worth} ({gap})"


def _describe_use(task: Task, choice: str) -> tuple[str, tuple[str, ...]]:
    """Return how to ask the model to take, the cheap baseline or the probe, by which commands; or what else to do."""
    own, probe = f"data/model/{task.name}", task.page.baselines.probe
    if choice == PROBE:
        if headline_gain(task, probe).outcome == REAL_LOSS:
            return (
                "It is not kept, and the fine-tuned model is proven worse; with all layers frozen it is nearest to the "
                f"probe. Raise tasks.{task.name}.finetune.freeze_layers, then:",
                ("make repro",),
            )
        return (
            f"It is not kept: the fine-tuned model in {own} stands in for it, which reads by the same encoder, at the "
            "same cost.",
            (),
        )
    if not task.page.keeps_cheap:
        return f"It is not kept: only the fine-tuned model is, in {own}.", ()
    command = f"python -m pipeline predict {task.name} FILE --out answers.csv --backend linear"
    return "To ask it about a file:", (command,)


def _describe_few(task: Task) -> str:
    """Return that fine-tuning and the cheap baseline differ on too few test rows for any test to tell, if so.

    Source: the exact test of McNemar has 2 * 0.5 ** n as its least p value for n rows.
    """
    cheap, evaluation = task.page.baselines.cheap, task.evaluation
    (mcnemar,) = (row["mcnemar"] for row in evaluation["comparisons"] if row["against"] == cheap.name)
    differing = mcnemar["model_only"] + mcnemar["baseline_only"] if mcnemar else 0
    if not mcnemar or 2 * 0.5**differing < 1 - evaluation["confidence"]:
        return ""
    few = plural(differing, "test row")
    return f" Fine-tuning and {cheap.short} differ on {few}, too few for any test to tell: label more test rows."


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
        text = (
            f"More would help: from {count(few)} to {count(many)} accuracy rose from {share(old.value)} to "
            f"{share(new.value)}. {_describe_forecast(best, study['confidence'])}"
        )
    else:
        text = (
            f"More are not proven to help: with {count(few)} accuracy was {share(old.value)}, with {count(many)} "
            f"{share(new.value)}. {_describe_forecast(best, study['confidence'])}"
        )
    return Advice("More labels", text, "transfer")


def _describe_forecast(arm: Document, confidence: float) -> str:
    """Return what twice the labels would bring, if the error goes on falling as a power of their number."""
    points = [
        read_point(point["train"], read_estimate(point["accuracy"]), confidence=confidence) for point in arm["points"]
    ]
    curve = [point for point in points if point is not None]
    gain = forecast_gain(curve, factor=2, confidence=confidence)
    if gain.value is None:
        return (
            f"How much {count(2 * arm['points'][-1]['train'])} would bring cannot be told: too few points of the curve "
            "follow a power law."
        )
    return (
        f"If the error goes on falling as a power of their number, {count(2 * curve[-1].labels)} bring "
        f"{points_and_interval(gain.value, gain.low, gain.high)} points."
    )


def advise_from_losses(task: Task) -> Advice:
    """Return what the losses of training and validation say about more labels, without a learning curve."""
    best = task.history["best"]
    if best["train_loss"] * OVERFIT_RATIO <= best["loss"]:
        text = (
            "More would probably help: the model knows its training examples far better than others (loss "
            f"{share(best['train_loss'])} and {share(best['loss'])}). A study of fewer labels tells how many:"
        )
    else:
        text = "Whether more would help is not known. A study of fewer labels tells it:"
    return Advice("More labels", text, "training", _STUDY)


# ------------------------------------------------------------------------------------------------ data
def _advise_on_pairs(task: Task) -> Advice | None:
    """Return that the second text of a pair nearly tells the answer by itself, if it does.

    Source: Gururangan et al. (2018), Annotation Artifacts in Natural Language Inference Data, arXiv 1803.02324.
    """
    second, metric, evaluation = task.page.baselines.second, task.page.headline, task.evaluation
    if second is None or second.name not in evaluation["baselines"]:
        return None
    models = (
        evaluation["model"],
        *(evaluation["baselines"][name] for name in (second.name, task.page.baselines.trivial.name)),
    )
    whole, alone, trivial = (read_estimate(model[metric.name]).value for model in models)
    outcome = headline_gain(task, second).outcome
    if whole is None or alone is None or trivial is None or outcome == UNMEASURED:
        return None
    if outcome == REAL_GAIN and metric.better * (alone - trivial) < NEARLY_ALL * abs(whole - trivial):
        return None
    text = (
        f"The second text alone gives a {metric.title} of {share(alone)}, the model {share(whole)}: it may know how "
        "second texts of a class are written, not what the two say of each other. Draw or write them alike for all "
        "classes."
    )
    return Advice("Pairs", text, "results")


def _advise_on_suspects(task: Task) -> Advice | None:
    reasons = task.inspection["reasons"]  # empty if the kind has no search for suspicious examples
    wrong, rivals = reasons.get("label", 0), reasons.get("duplicate", 0)
    kinds = [f"{count(wrong)} of {plural(task.inspection['rows'], 'label')} may be wrong"] if wrong else []
    kinds += [f"{plural(rivals, 'text')} with a near duplicate of another label"] if rivals else []
    text = f"{', '.join(kinds)}. For a file of them to correct:"
    return Advice("Label errors", text, "suspects", (f"python -m pipeline relabel {task.name}",)) if kinds else None


def _advise_on_checks(task: Task, quote: Quote) -> Advice | None:
    failed = failed_checks(task.findings)
    critical = sum(check["severity"] == "critical" for check in failed)
    names = list_names([quote(check["title"]) for check in failed])
    text = f"{plural(len(failed), 'check')} did not pass{f', {count(critical)} critical' if critical else ''}: {names}."
    return Advice("Checks", text, "checks") if failed else None


def list_names(names: list[str]) -> str:
    """Return names in a row, `MOST_NAMES` at most and the number of the others."""
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {count(more)} more" if more > 0 else "")
