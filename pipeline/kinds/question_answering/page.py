"""The page of answers in passages."""

from itertools import pairwise
from typing import NamedTuple

from pipeline.core.document import Document
from pipeline.core.format import count, escape_markdown, markdown_table
from pipeline.kinds.question_answering.baseline_names import READING_BASELINES
from pipeline.kinds.question_answering.measures import READING_METRICS
from pipeline.report.charts.confusion import draw_confusion
from pipeline.report.kind import Advice, CardParts, Page, Quote, Task

_AROUND = 300  # characters of the passage that are shown on both sides of the spans
_FEW = 30  # questions of a sort in test, below which its numbers say little


class PassagePart(NamedTuple):
    """Characters of a passage in a row, and whether they are of a true answer, and of the one given."""

    text: str
    actual: bool
    predicted: bool


def cut_passage(row: Document) -> list[PassagePart]:
    """Return a passage cut wherever an answer begins or ends, true or given; far from all of them it is left out."""
    passage = row["context"]
    actual = [(start, start + len(text)) for start, text in zip(row["starts"], row["answers"], strict=True)]
    given = [(row["start"], row["start"] + len(row["predicted"]))] if row["predicted"] else []
    ends = sorted({place for span in (*actual, *given) for place in span})
    left = max(0, (ends[0] if ends else 0) - _AROUND)
    right = min(len(passage), (ends[-1] if ends else 0) + _AROUND)
    bounds = [left, *(place for place in ends if left < place < right), right]
    parts = [
        PassagePart(passage[start:end], _covers(actual, start, end), _covers(given, start, end))
        for start, end in pairwise(bounds)
    ]
    before, after = ([PassagePart("…", False, False)] if cut else [] for cut in (left > 0, right < len(passage)))
    return [*before, *parts, *after]


def _covers(spans: list[tuple[int, int]], start: int, end: int) -> bool:
    return any(first <= start and end <= last for first, last in spans)


def describe_threshold(threshold: float | None) -> str:
    """Return when no answer is given, as a sentence."""
    if threshold is None:
        return "All questions of the validation split have an answer, so one is always given."
    return (
        f"No answer is given if that scores more than {threshold:.2f} above the best span; validation sets the limit."
    )


def _tabulate(task: Task) -> str:
    """Return how many questions with and without an answer got one."""
    confusion = task.evaluation["model"]["confusion"]
    rows = [
        (name, count(sum(counts)), count(counts[0]), count(counts[1]))
        for name, counts in zip(confusion["labels"], confusion["matrix"], strict=True)
    ]
    return markdown_table(("Questions", "In test", "Answered", "Left unanswered"), rows, right=range(1, 4))


def _advise(task: Task, _quote: Quote) -> list[Advice]:
    """Return the sorts of questions that test holds too few of to judge them; empty if there is none."""
    confusion = task.evaluation["model"]["confusion"]
    sizes = zip(confusion["labels"], map(sum, confusion["matrix"]), strict=True)
    few = ", ".join(f"{name} ({count(size)})" for name, size in sizes if 0 < size < _FEW)
    text = f"Too few in test to judge: {few}. Add some, or raise ingest.shares.test."
    return [Advice("Questions", text, "questions")] if few else []


def _describe(task: Task) -> CardParts:
    threshold, length = task.evaluation["threshold"], task.history["max_length"]
    withhold = "" if threshold is None else f" if scores[0, 0] - spans.max() <= {threshold!r} else 'no answer'"
    snippet = f"""```python
import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

folder = "data/model/{task.name}"
tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForQuestionAnswering.from_pretrained(folder)
question, passage = "Who wrote it?", "The letter was written by Ada."
inputs = tokenizer(
    question, passage, truncation="only_second", max_length={length}, return_offsets_mapping=True, return_tensors="pt"
)
offsets = inputs.pop("offset_mapping")[0].tolist()
with torch.inference_mode():
    output = model(**inputs)
scores = output.start_logits[0][:, None] + output.end_logits[0]
own = torch.tensor([side == 1 for side in inputs.sequence_ids(0)])
band = torch.ones_like(scores).triu().tril(29).bool()  # 30 tokens at most
spans = scores.where(band & own[:, None] & own, -torch.inf)
start, end = divmod(int(spans.argmax()), len(own))
print(passage[offsets[start][0] : offsets[end][1]]{withhold})
```"""
    return CardParts(
        tag="question-answering",
        hub_metrics=(("f1", "f1", "F1"), ("exact_match", "exact_match", "Exact match")),
        introduction="A reader that answers a question by a span of a passage",
        outputs="",
        use=f"""{snippet}

`AutoModelForQuestionAnswering` opens it; transformers 5 has no pipeline for it. A passage of more than one window of
{count(length)} tokens needs all its windows (`return_overflowing_tokens=True`); the best span of them counts.""",
        tables=_tabulate(task),
        limits=f"""An answer is a part of the passage, of 30 tokens at most; it cannot count, conclude or say yes.
{describe_threshold(threshold)}
F1 and exact match ignore case, ASCII punctuation and English articles, as in SQuAD.""",
    )


PAGE = Page(
    metrics=READING_METRICS,
    baselines=READING_BASELINES,
    sections={
        "results": "Models",
        "questions": "Questions",
        "errors": "Most confident errors",
        "checks": "Checks",
        "data": "Data",
        "training": "Training",
        "slices": "Slices",
    },
    template="question-answering.html",
    functions={
        "draw_confusion": draw_confusion,
        "cut_passage": cut_passage,
        "describe_threshold": describe_threshold,
    },
    scale="All lie between 0 and 1. F1 is that of the words of an answer; case, punctuation and articles do not count.",
    advise=_advise,
    summarize=lambda task: [_tabulate(task), escape_markdown(describe_threshold(task.evaluation["threshold"]))],
    describe=_describe,
)
