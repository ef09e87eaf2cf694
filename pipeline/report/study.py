"""The transfer study in words and as Markdown; arms that do not help are reported like those that do."""

from collections.abc import Mapping, Sequence

from pipeline.core.document import Document
from pipeline.core.format import (
    count,
    escape_markdown,
    markdown_table,
    p_cell,
    p_phrase,
    percent,
    plural,
    points,
    points_and_interval,
    share,
    share_and_interval,
)
from pipeline.evaluate.estimate import REAL_GAIN, REAL_LOSS, UNPROVEN
from pipeline.report.kind import Quote

Sizes = Mapping[int | str, int]  # the number of labelled training examples by `labels`, a number or "all"


def studies_by_task(document: Document | None) -> dict[str, Document]:
    """Return each task's part of the study, with its confidence level; empty without a study."""
    if not document:
        return {}
    return {str(task["task"]): {**task, "confidence": document["confidence"]} for task in document["tasks"]}


# ------------------------------------------------------------------------------------------------ words
def describe_method(document: Document, task: Document) -> str:
    """Return one paragraph on how the numbers were measured."""
    number = len(document["seeds"])
    seeds = plural(number, "seed")
    if number > 1:
        unit = f"Each point is the mean over {seeds}. Each seed draws its own"
        cover = (
            f"cover variation between seeds and between test rows. {seeds} say little about other seeds "
            "even if they agree, so fewer seeds give wider intervals."
        )
    else:
        unit = "Each point is one training run. It draws its own"
        cover = "cover variation between test rows but not between seeds, so they hold for these training runs only."
    return (
        f"{unit} training examples (nested and stratified), initial weights and order. Checkpoints and regularisation "
        "are selected on at most as many examples of the validation split as there are labels, never on the test "
        f"split, whose {plural(task['rows'], 'row')} are the same for all arms. The {percent(document['confidence'])} "
        f"intervals and the tests {cover}"
    )


def describe_tests(document: Document, task: Document) -> str:
    """Return one paragraph on what was tested, and how the p values account for the number of tests."""
    pairs = len(_list_pairs(task))
    return (
        f"{plural(pairs, 'pair')} of arms {'was' if pairs == 1 else 'were'} chosen before the results were seen. Each "
        "pair is tested twice: is the first arm better with the same number of labels, and is it better with fewer "
        "labels than the other arm's largest number? The p values are adjusted by Holm's method over the numbers of "
        "labels within each such family; of the families without any true difference, at most "
        f"{percent(1 - document['confidence'])} are expected to show one."
    )


def describe_comparisons(task: Document, *, quote: Quote = str) -> list[str]:
    """Return a sentence or more for each pair of arms that was compared; `quote` makes titles safe."""
    titles = {arm["arm"]: quote(arm["title"]) for arm in task["arms"]}
    sizes = _training_sizes(task)
    sentences = []
    for pair in _list_pairs(task):
        equal, fewer = (
            [row for row in task[kind] if (row["better"], row["than"]) == pair] for kind in ("comparisons", "savings")
        )
        better, than = titles[pair[0]], titles[pair[1]]
        sentences.append(_capitalize(_describe_equal(equal, better, than, sizes)) + _describe_fewer(fewer, than, sizes))
    return sentences


def describe_best_arms(document: Document, task: Document, *, quote: Quote = str) -> str:
    """Return the best arms with the fewest and with the most labels, with a warning if there is only one seed."""
    sizes = _training_sizes(task)
    places: dict[tuple[str, ...], list[str]] = {}
    for place in dict.fromkeys((0, len(sizes) - 1)):
        points_here = [arm["points"][place] for arm in task["arms"]]
        values = [point["accuracy"]["value"] for point in points_here]
        best = max(values)
        titles = tuple(quote(arm["title"]) for arm, value in zip(task["arms"], values, strict=True) if value == best)
        words = f"with {_describe_size(points_here[0], sizes)} labels ({share(best)})"
        places.setdefault(titles, []).append(words)
    clauses = [
        f"{_join(titles)} {_describe_lead(len(titles))} {' and '.join(words)}" for titles, words in places.items()
    ]
    warning = "" if len(document["seeds"]) > 1 else " This is one seed; another may rank the arms differently."
    return f"{_capitalize('; '.join(clauses))}.{warning}"


def _describe_lead(arms: int) -> str:
    return "is the most accurate" if arms == 1 else "are equally accurate, and the most so,"


def _describe_equal(rows: Sequence[Document], better: str, than: str, sizes: Sizes) -> str:
    """Return a pair's results with the same number of labels."""
    gains, losses, unproven = (
        [row for row in rows if row["outcome"] == kind] for kind in (REAL_GAIN, REAL_LOSS, UNPROVEN)
    )
    if not gains and not losses:
        differences = _join([f"{points(row['difference'])} at {_describe_size(row, sizes)}" for row in rows])
        return f"{better} is not proven better than {than} at any number of labels ({differences})."
    parts = [f"is better than {than} {_list_differences(gains, rows, sizes)}"] if gains else []
    parts += [f"is worse than {than} {_list_differences(losses, rows, sizes)}"] if losses else []
    sentence = f"{better} {' and '.join(parts)}."
    if unproven:
        differences = _join([f"{_describe_size(row, sizes)} ({points(row['difference'])})" for row in unproven])
        sentence += f" With {differences} the difference may be due to chance."
    return sentence


def _describe_fewer(rows: Sequence[Document], than: str, sizes: Sizes) -> str:
    """Return the fewest labels with which the first arm beats the second one's most; empty if there is no such gain."""
    proven = [row for row in rows if row["outcome"] == REAL_GAIN]
    if not proven:
        return ""
    first = proven[0]
    return (
        f" With {_describe_size(first, sizes)} labels it beats {than} with {_describe_size(first, sizes, 'against')} "
        f"({points(first['difference'])} points, {p_phrase(first['adjusted'])})."
    )


def _list_differences(some: Sequence[Document], rows: Sequence[Document], sizes: Sizes) -> str:
    differences = [
        f"{points(row['difference'])} points with {_describe_size(row, sizes)}, {p_phrase(row['adjusted'])}"
        for row in some
    ]
    everywhere = "at every number of labels " if len(some) == len(rows) > 1 else ""
    return f"{everywhere}({'; '.join(differences)})"


def _list_pairs(task: Document) -> list[tuple[str, str]]:
    return list(dict.fromkeys((row["better"], row["than"]) for row in task["comparisons"]))


def _training_sizes(task: Document) -> Sizes:
    return {point["labels"]: point["train"] for point in task["arms"][0]["points"]}


def _describe_size(row: Document, sizes: Sizes, key: str = "labels") -> str:
    labels = row[key]
    return f"all {count(sizes[labels])}" if labels == "all" else count(sizes[labels])


def _join(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _capitalize(sentence: str) -> str:
    """Return a sentence with a capital at its start; the rest stays, unlike with `str.capitalize`."""
    return sentence[:1].upper() + sentence[1:]


# ------------------------------------------------------------------------------------------------ Markdown
def study_markdown(document: Document, *, level: int = 2) -> str:
    """Return a section per task: the results in words, the table of accuracies, the tests."""
    return "\n".join(_task_section(document, task, level) for task in document["tasks"])


def _task_section(document: Document, task: Document, level: int) -> str:
    quote = escape_markdown
    return "\n".join(
        (
            f"{'#' * level} Accuracy of {quote(task['task'])} by number of labels\n",
            f"{describe_best_arms(document, task, quote=quote)}\n",
            "".join(f"- {line}\n" for line in describe_comparisons(task, quote=quote)),
            accuracy_table(task),
            f"{describe_method(document, task)}\n",
            comparison_table(task),
            f"{describe_tests(document, task)}\n",
        )
    )


def accuracy_table(task: Document) -> str:
    """Return accuracy with its interval by arm and labels, and macro-F1 with the most labels."""
    sizes = [count(point["train"]) for point in task["arms"][0]["points"]]
    rows = [
        (
            escape_markdown(arm["title"]),
            *(_describe_accuracy(point["accuracy"]) for point in arm["points"]),
            share(arm["points"][-1]["macro_f1"]["value"]),
        )
        for arm in task["arms"]
    ]
    return markdown_table(
        ("Accuracy with labels", *sizes, f"Macro-F1 with {sizes[-1]}"), rows, right=range(1, len(sizes) + 2)
    )


def _describe_accuracy(metric: Document) -> str:
    return share_and_interval(metric["value"], metric["low"], metric["high"])


def comparison_table(task: Document) -> str:
    """Return every planned comparison with the same number of labels."""
    titles = {arm["arm"]: escape_markdown(arm["title"]) for arm in task["arms"]}
    sizes = _training_sizes(task)
    rows = [
        (
            titles[row["better"]],
            titles[row["than"]],
            count(sizes[row["labels"]]),
            points_and_interval(row["difference"], row["low"], row["high"]),
            p_cell(row["adjusted"]),
            row["outcome"],
        )
        for row in task["comparisons"]
    ]
    return markdown_table(("Arm", "Against", "Labels", "Gain (points)", "p", "Verdict"), rows, right=(2, 3, 4))
