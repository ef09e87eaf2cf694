"""The page of label sets."""

import json

from pipeline.core.document import Document
from pipeline.core.format import count, escape_markdown, markdown_table, plural, share
from pipeline.kinds.multi_label_classification.baseline_names import LABEL_SET_BASELINES
from pipeline.kinds.multi_label_classification.measures import SET_METRICS
from pipeline.report.advice import list_names
from pipeline.report.kind import Advice, CardParts, Page, Quote, Task
from pipeline.report.verdict import read_estimate

FEW_ROWS = 20  # test rows of a label with which its recall is only known to some twenty points


def _list_rare(evaluation: Document) -> list[Document]:
    return [row for row in evaluation["model"]["classes"] if row["support"] < FEW_ROWS]


def _advise(task: Task, quote: Quote) -> list[Advice]:
    """Return the labels whose test rows are too few to judge them; empty if there is none."""
    rare = _list_rare(task.evaluation)
    names = list_names([f"{quote(row['label'])} ({plural(row['support'], 'test row')})" for row in rare])
    text = f"Too few test rows to judge {names}. Label more, or raise ingest.shares.test."
    return [Advice("Labels", text, "labels")] if rare else []


def _summarize(task: Task) -> list[str]:
    """Return the table of the labels."""
    return [_tabulate(task.evaluation)]


def _tabulate(evaluation: Document) -> str:
    rows = [
        (
            escape_markdown(row["label"]),
            *(share(read_estimate(row[key]).value) for key in ("precision", "recall")),
            share(row["f1"]),
            share(row["average_precision"]),
            share(row["threshold"]),
            count(row["support"]),
        )
        for row in evaluation["model"]["classes"]
    ]
    head = ("Label", "Precision", "Recall", "F1", "Average precision", "Threshold", "Test rows")
    return markdown_table(head, rows, right=range(1, 7))


def _describe(task: Task) -> CardParts:
    evaluation = task.evaluation
    thresholds = [row["threshold"] for row in evaluation["model"]["classes"]]
    return CardParts(
        tag="text-classification",
        hub_metrics=(
            ("micro_f1", "f1", "Micro-F1"),
            ("macro_f1", "f1", "Macro-F1"),
            ("exact_match", "exact_match", "Exact match"),
        ),
        introduction=f"A text classifier with {len(evaluation['labels'])} labels, of which a text may have any number",
        outputs="\n".join(f"{index}. {escape_markdown(label)}" for index, label in enumerate(evaluation["labels"])),
        use=f"""```python
from transformers import pipeline

classify = pipeline("text-classification", model="data/model/{task.name}", top_k=None, truncation=True)
names = classify.model.config.id2label
thresholds = {{names[index]: value for index, value in enumerate({json.dumps(thresholds)})}}
print([row["label"] for row in classify("a text")[0] if row["score"] >= thresholds[row["label"]]])
```

It reads the first {count(task.history["max_length"])} tokens of a text. Keep `truncation=True`:
without it transformers cuts nothing, and the model reads more than it was trained and tested on, or fails. `top_k=None`
gives the probability of each label; the thresholds were chosen on validation.""",
        tables=_tabulate(evaluation),
        limits="""It answers with none of its labels if none reaches its threshold,
and knows no label but these. A label with few test examples may be much worse than its numbers.""",
    )


PAGE = Page(
    metrics=SET_METRICS,
    baselines=LABEL_SET_BASELINES,
    sections={
        "results": "Models",
        "labels": "Labels",
        "errors": "Most confident errors",
        "checks": "Checks",
        "data": "Data",
        "training": "Training",
        "slices": "Thresholds and slices",
    },
    template="multi-label-classification.html",
    functions={},
    scale="All lie between 0 and 1.",
    advise=_advise,
    summarize=_summarize,
    describe=_describe,
    keeps_cheap=True,
)
