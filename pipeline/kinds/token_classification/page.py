"""The page of tags of words."""

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.core.document import Document
from pipeline.core.format import count, escape_markdown, markdown_table, share
from pipeline.kinds.token_classification.baseline_names import TAG_BASELINES
from pipeline.kinds.token_classification.measures import TAG_METRICS, title_metrics
from pipeline.report.advice import list_names
from pipeline.report.charts.confusion import draw_confusion
from pipeline.report.kind import Advice, CardParts, Page, Quote, Task
from pipeline.tagging.schemes import OUTSIDE_TAG, is_bio

_WORDS_AROUND = 40  # of an error, on both sides
_FEW = 20  # spans of a type in test, below which its numbers say little


class Segment(NamedTuple):
    """Words of a sentence in a row: their text, the type that they have and the one predicted, "" for none."""

    text: str
    actual: str
    predicted: str


def cut_segments(row: Document, classes: Sequence[str]) -> list[Segment]:
    """Return a sentence cut wherever a span begins or ends, actual or predicted, near its first error.

    With plain tags, a word that is right has no types, since only errors are to be seen.
    """
    words, bio = row["words"], is_bio(classes)
    pairs = list(zip(row["actual"], row["predicted"], strict=True))
    first = next((place for place, (actual, predicted) in enumerate(pairs) if actual != predicted), 0)
    start, end = max(0, first - _WORDS_AROUND), first + _WORDS_AROUND + 1
    segments = [Segment("…", "", "")] if start else []
    for word, (actual, predicted) in list(zip(words, pairs, strict=True))[start:end]:
        types = _show(actual, predicted, bio=bio)
        goes_on = not (actual.startswith("B-") or predicted.startswith("B-")) if bio else types == ("", "")
        if segments and goes_on and segments[-1][1:] == types and segments[-1].text != "…":
            segments[-1] = segments[-1]._replace(text=f"{segments[-1].text} {word}")
        else:
            segments.append(Segment(word, *types))
    return [*segments, *([Segment("…", "", "")] if end < len(words) else [])]


def _show(actual: str, predicted: str, *, bio: bool) -> tuple[str, str]:
    if bio:
        return actual.partition("-")[2], predicted.partition("-")[2]
    return ("", "") if actual == predicted else (actual, predicted)


def frequent_confusions(confusion: Document, *, most: int) -> list[tuple[str, str, int]]:
    """Return the types that are most often taken for another, as (actual, predicted, words)."""
    labels = confusion["labels"]
    errors = [
        (labels[actual], labels[predicted], words)
        for actual, row in enumerate(confusion["matrix"])
        for predicted, words in enumerate(row)
        if words and actual != predicted
    ]
    return sorted(errors, key=lambda error: -error[2])[:most]


def without_outside(confusion: Document) -> list[list[int]]:
    """Return the counts without the words that are rightly outside of all spans, beside which all else is small."""
    labels = confusion["labels"]
    return [
        [0 if row == column and labels[row] == OUTSIDE_TAG else words for column, words in enumerate(counts)]
        for row, counts in enumerate(confusion["matrix"])
    ]


def _tabulate_types(task: Task) -> str:
    rows = [
        (
            escape_markdown(row["label"]),
            *(share(row[key]) for key in ("precision", "recall", "f1")),
            count(row["support"]),
        )
        for row in task.evaluation["model"]["types"]
    ]
    return markdown_table(("Type", "Precision", "Recall", "F1", "In test"), rows, right=range(1, 5))


def _advise(task: Task, quote: Quote) -> list[Advice]:
    """Return the types that test holds too few of to judge them; empty if there is none."""
    few = [row for row in task.evaluation["model"]["types"] if row["support"] < _FEW]
    names = list_names([f"{quote(row['label'])} ({count(row['support'])})" for row in few])
    text = f"Too few in test to judge: {names}. Label more, or raise ingest.shares.test."
    return [Advice("Types", text, "types")] if few else []


def _describe(task: Task) -> CardParts:
    evaluation = task.evaluation
    bio = is_bio(evaluation["labels"])
    names = ", ".join(escape_markdown(row["label"]) for row in evaluation["model"]["types"])
    strategy = "first" if bio else "none"
    return CardParts(
        tag="token-classification",
        hub_metrics=(*([("span_f1", "f1", "Span F1")] if bio else []), ("tag_accuracy", "accuracy", "Accuracy")),
        introduction=f"A tagger of words with {'spans of the types' if bio else 'the tags'} {names}",
        outputs="",
        use=f"""```python
from transformers import pipeline

tag = pipeline("token-classification", model="data/model/{task.name}", aggregation_strategy="{strategy}")
print(tag("A sentence."))
```

The tag of a word is that of its first token. It reads {count(task.history["max_length"])} tokens at a time;
divide longer texts between sentences.""",
        tables=_tabulate_types(task),
        limits="""A type with few spans in test may be much worse than its numbers.
It has learned from words as its file has them; text that is divided into words otherwise may be tagged worse.""",
    )


PAGE = Page(
    metrics=TAG_METRICS,
    baselines=TAG_BASELINES,
    sections={
        "results": "Models",
        "types": "Types",
        "errors": "Most confident errors",
        "checks": "Checks",
        "data": "Data",
        "training": "Training",
        "slices": "Slices",
    },
    template="token-classification.html",
    functions={
        "draw_confusion": draw_confusion,
        "cut_segments": cut_segments,
        "frequent_confusions": frequent_confusions,
        "without_outside": without_outside,
    },
    scale="All lie between 0 and 1. A span counts if its words and type are right; with plain tags each word is one.",
    advise=_advise,
    summarize=lambda task: [_tabulate_types(task)],
    describe=_describe,
    keeps_cheap=True,
    titles=title_metrics,
)
