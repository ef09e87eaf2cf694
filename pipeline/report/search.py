"""The results of a search as one self-contained HTML page, like that of the report."""

from collections.abc import Mapping

from pipeline.core.document import Document, json_text
from pipeline.core.format import ABSENT, count, p_phrase, points_and_interval, share
from pipeline.evaluate.estimate import REAL_GAIN, REAL_LOSS
from pipeline.report.charts.search import draw_importance, draw_search_history, draw_slice
from pipeline.report.page import build_environment

SEARCH_TEMPLATES = ("search.html", "colours.css", "page.css", "charts.css")
PLACES = {"first": "best", "second": "second best", "third": "third best"}
_TITLES = {"accuracy": "accuracy", "macro_f1": "macro-F1", "loss": "loss"}


def search_html(templates: Mapping[str, str], results: Document) -> str:
    """Return the page of a search; `templates` maps the names of `SEARCH_TEMPLATES` to their texts."""
    environment = build_environment(templates)
    environment.filters.update(spell=spell_value)
    environment.globals.update(
        draw_search_history=draw_search_history, draw_slice=draw_slice, draw_importance=draw_importance
    )
    template = environment.get_template("search.html")
    return template.render(
        search=results,
        metric=_TITLES.get(results["metric"], results["metric"]),
        verdict=describe_choice(results),
        optimism=describe_optimism(results),
        ends=describe_ends(results),
        test=describe_test(results),
    )


def spell_value(value: object) -> str:
    """Return a value as params.yaml has it; a dash for one that is not there."""
    return ABSENT if value == "" else value if isinstance(value, str) else json_text(value).strip()


def describe_choice(results: Document) -> str:
    """Return which candidate was chosen, by what, and among how many."""
    cost, chosen = results["cost"], results["chosen"]["candidate"]
    how = f"by its mean on validation over {len(results['seeds'])} fresh seeds, after {cost['trials']} trials"
    if chosen == "default":
        return f"The search found nothing better: the default values were chosen {how}."
    return f"The {PLACES[chosen]} trial was chosen {how}."


def describe_ends(results: Document) -> str:
    """Return how many trials did not train to their end, and why."""
    cost = results["cost"]
    dropped = f", {count(cost['dropped'])} dropped at a rung" if cost["dropped"] else ""
    return f"{count(cost['diverged'])} diverged{dropped}"


def describe_optimism(results: Document) -> str:
    """Return by how much the best trial's own score flatters it."""
    if results["optimism"] is None:
        return "How optimistic the best trial's score is was not measured."
    best = next(candidate for candidate in results["candidates"] if candidate["candidate"] == "first")
    return (
        f"The best trial scored {share(best['trial_score'])}, the best of {results['cost']['trials']} on the same "
        f"validation rows, and {share(best['mean'])} in the mean with fresh seeds: its own score is "
        f"{share(abs(results['optimism']))} too {'good' if results['optimism'] > 0 else 'bad'}."
    )


def describe_test(results: Document) -> str:
    """Return what the test split says, which is read once: of the chosen and the default."""
    test = results["test"]
    if test is None and results["chosen"]["candidate"] == results["candidates"][0]["candidate"]:
        return "The default was chosen, so there is nothing to compare on test."
    if test is None:
        return "The default diverged, so there is nothing to compare on test."
    words = {REAL_GAIN: "a real gain", REAL_LOSS: "a real loss"}.get(test["outcome"], "no proven difference")
    return (
        f"On {test['rows']} test rows the accuracy is {share(test['chosen']['accuracy'])}, with the default "
        f"{share(test['default']['accuracy'])}: {points_and_interval(test['difference'], test['low'], test['high'])} "
        f"points, {p_phrase(test['p_value'])}, {words}."
    )
