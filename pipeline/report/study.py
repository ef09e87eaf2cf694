"""What the study found, in words and as a Markdown page: also where an arm does not help."""

from collections.abc import Callable, Sequence

from pipeline.core.document import Document
from pipeline.core.format import (
    count,
    escape_markdown,
    interval,
    markdown_table,
    p_phrase,
    percent,
    plural,
    points,
    share,
)
from pipeline.evaluate.outcome import REAL_GAIN, REAL_LOSS, UNPROVEN

Quote = Callable[[str], str]


def method(document: Document, task: Document) -> str:
    """Return how the numbers came about, one paragraph."""
    number = len(document["seeds"])
    seeds = plural(number, "seed")
    chance = (
        f"count both, other seeds and other test rows, as chance; {seeds} tell little of other seeds, even where they "
        "agree, so the fewer there are the wider the intervals"
        if number > 1
        else "count other test rows as chance but not another seed: they speak of these trainings alone"
    )
    return (
        f"Each point is {f'the mean of {seeds}: each' if number > 1 else 'one training: it'} draws its own examples "
        "from the train split, nested and stratified, and its own weights and order. Checkpoints and "
        "regularisation are chosen on at most as many examples of the validation split as there are labels, never on "
        f"the test split, whose {plural(task['rows'], 'row')} are the same for all. The intervals "
        f"({percent(document['confidence'])}) and tests {chance}."
    )


def tested(document: Document, task: Document) -> str:
    """Return what was tested, and how it is accounted for that there are many tests."""
    pairs = len({(one["better"], one["than"]) for one in task["comparisons"]})
    return (
        f"{plural(pairs, 'pair')} of arms {'was' if pairs == 1 else 'were'} named before the numbers were seen. Each "
        "is judged twice: is the first better with equally many labels, and with fewer than the other's most? The p "
        "values are Holm's, adjusted over the numbers of labels within each; of such families in which nothing "
        f"differs, {percent(1 - document['confidence'])} at most are expected to show something."
    )


def findings(task: Document, *, quote: Quote = str) -> list[str]:
    """Return a sentence or two for each pair of arms that was compared; `quote` makes titles safe."""
    titles = {arm["arm"]: quote(arm["title"]) for arm in task["arms"]}
    counts = {point["labels"]: point["train"] for point in task["arms"][0]["points"]}
    pairs = list(dict.fromkeys((one["better"], one["than"]) for one in task["comparisons"]))
    told = []
    for pair in pairs:
        equal, fewer = (
            [one for one in task[kind] if (one["better"], one["than"]) == pair] for kind in ("comparisons", "savings")
        )
        names = titles[pair[0]], titles[pair[1]]
        told.append(_begun(" ".join(filter(None, (_equal(equal, names, counts), _fewer(fewer, names, counts))))))
    return told


def _equal(found: Sequence[Document], names: tuple[str, str], counts: dict[int | str, int]) -> str:
    """Return what a pair shows at equal labels."""
    ours, theirs = names
    gains, losses, rest = (
        [one for one in found if one["outcome"] == kind] for kind in (REAL_GAIN, REAL_LOSS, UNPROVEN)
    )
    if not gains and not losses:
        sizes = _listed([f"{points(one['difference'])} at {_labels(one['labels'], counts)}" for one in found])
        return f"{ours} is not proven to help over {theirs} at any number of labels ({sizes})."
    parts = [f"is better than {theirs} {_where(gains, found, counts)}"] if gains else []
    parts += [f"is worse than {theirs} {_where(losses, found, counts)}"] if losses else []
    sentence = f"{ours} {' and '.join(parts)}."
    if rest:
        sizes = _listed([f"{_labels(one['labels'], counts)} ({points(one['difference'])})" for one in rest])
        sentence += f" With {sizes} the difference may be chance."
    return sentence


def _fewer(found: Sequence[Document], names: tuple[str, str], counts: dict[int | str, int]) -> str:
    """Return the fewest labels with which the first arm beats the second with its most; nothing if there is none."""
    proven = [one for one in found if one["outcome"] == REAL_GAIN]
    if not proven:
        return ""
    first = proven[0]
    return (
        f"With {_labels(first['labels'], counts)} labels it beats {names[1]} with {_labels(first['against'], counts)} "
        f"({points(first['difference'])} points, {p_phrase(first['adjusted'])})."
    )


def _where(some: Sequence[Document], found: Sequence[Document], counts: dict[int | str, int]) -> str:
    sizes = [
        f"{points(one['difference'])} points with {_labels(one['labels'], counts)}, {p_phrase(one['adjusted'])}"
        for one in some
    ]
    everywhere = "at every number of labels " if len(some) == len(found) > 1 else ""
    return f"{everywhere}({'; '.join(sizes)})"


def _labels(labels: int | str, counts: dict[int | str, int]) -> str:
    return f"all {count(counts[labels])}" if labels == "all" else count(counts[labels])


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def lead(document: Document, task: Document, *, quote: Quote = str) -> str:
    """Return which arm does best with the fewest and with the most labels, and a warning where one seed says so."""
    counts = {point["labels"]: point["train"] for point in task["arms"][0]["points"]}
    found: dict[str, list[str]] = {}
    for place in dict.fromkeys((0, len(counts) - 1)):
        best = max(task["arms"], key=lambda arm: float(arm["points"][place]["accuracy"]["value"]))
        point = best["points"][place]
        value = share(point["accuracy"]["value"])
        found.setdefault(quote(best["title"]), []).append(f"with {_labels(point['labels'], counts)} labels ({value})")
    told = [f"{title} is the most accurate {' and '.join(where)}" for title, where in found.items()]
    warning = "" if len(document["seeds"]) > 1 else " That is one seed; another may rank them otherwise."
    return f"{_begun('; '.join(told))}.{warning}"


def _begun(sentence: str) -> str:
    """Return a sentence with a capital at its start."""
    return sentence[:1].upper() + sentence[1:]


# ------------------------------------------------------------------------------------------------ Markdown
def markdown(document: Document, *, level: int = 2) -> str:
    """Return a section a task: the finding in words, the table of accuracies, the tests."""
    return "\n".join(_section(document, task, level) for task in document["tasks"])


def _section(document: Document, task: Document, level: int) -> str:
    quote = escape_markdown
    return "\n".join(
        (
            f"{'#' * level} What pretraining brings to {quote(task['task'])}\n",
            f"{lead(document, task, quote=quote)}\n",
            "".join(f"- {line}\n" for line in findings(task, quote=quote)),
            accuracy_table(task),
            f"{method(document, task)}\n",
            comparison_table(task),
            f"{tested(document, task)}\n",
        )
    )


def accuracy_table(task: Document) -> str:
    """Return accuracy with its interval by arm and labels, and macro-F1 with the most labels."""
    head = [point["train"] for point in task["arms"][0]["points"]]
    rows = [
        (
            escape_markdown(arm["title"]),
            *(
                f"{share(point['accuracy']['value'])} "
                f"{interval(point['accuracy']['low'], point['accuracy']['high'])}".rstrip()
                for point in arm["points"]
            ),
            share(arm["points"][-1]["macro_f1"]["value"]),
        )
        for arm in task["arms"]
    ]
    names = ("Accuracy with labels", *map(count, head), f"Macro-F1 with {count(head[-1])}")
    return markdown_table(names, rows, right=range(1, len(head) + 2))


def comparison_table(task: Document) -> str:
    """Return every planned comparison at equal labels."""
    titles = {arm["arm"]: escape_markdown(arm["title"]) for arm in task["arms"]}
    counts = {point["labels"]: point["train"] for point in task["arms"][0]["points"]}
    rows = [
        (
            titles[one["better"]],
            titles[one["than"]],
            count(counts[one["labels"]]),
            f"{points(one['difference'])} {_ends(one)}".rstrip(),
            p_phrase(one["adjusted"]).removeprefix("p ").removeprefix("= ").replace("<", "&lt;"),
            one["outcome"],
        )
        for one in task["comparisons"]
    ]
    return markdown_table(("Arm", "Against", "Labels", "Gain (points)", "p", "Verdict"), rows, right=(2, 3, 4))


def _ends(one: Document) -> str:
    low, high = one["low"], one["high"]
    return "" if low is None or high is None else f"[{points(low)}, {points(high)}]"
