"""The page of a class for each text."""

from pipeline.classes.advice import advise_on_classes
from pipeline.classes.measures import METRICS
from pipeline.classes.page import (
    FUNCTIONS,
    HUB_METRICS,
    SCALE,
    SECTIONS,
    describe_temperature,
    number_classes,
    summarize_classes,
    tabulate_class_results,
)
from pipeline.core.format import count
from pipeline.kinds.text_classification.baseline_names import TEXT_BASELINES
from pipeline.report.kind import CardParts, Page, Task


def _describe(task: Task) -> CardParts:
    evaluation, length = task.evaluation, count(task.history["max_length"])
    pairs = "second" in evaluation["baselines"]
    example = '{"text": "a text", "text_pair": "another"}' if pairs else '"a text"'
    read = (
        f"{length} tokens of a pair, and cuts the longer text first"
        if pairs
        else f"the first {length} tokens of a text"
    )
    return CardParts(
        tag="text-classification",
        hub_metrics=HUB_METRICS,
        introduction=f"A classifier of pairs of texts with {len(evaluation['labels'])} classes"
        if pairs
        else f"A text classifier with {len(evaluation['labels'])} classes",
        outputs=number_classes(evaluation),
        use=f"""```python
from transformers import pipeline

classify = pipeline("text-classification", model="data/model/{task.name}", truncation=True)
print(classify({example}))
```

It reads {read}. Keep `truncation=True`:
without it transformers cuts nothing, and the model reads more than it was trained and tested on, or fails.""",
        tables=tabulate_class_results(evaluation, task.intake["splits"]["train"]),
        limits=f"""It always answers with one of its classes,
even for {"a pair" if pairs else "a text"} that belongs to none. {describe_temperature(evaluation)}
A class or a slice with few test examples may be much worse than its numbers.""",
    )


PAGE = Page(
    metrics=METRICS,
    baselines=TEXT_BASELINES,
    sections=SECTIONS,
    template="classes.html",
    functions=FUNCTIONS,
    scale=SCALE,
    advise=advise_on_classes,
    summarize=summarize_classes,
    describe=_describe,
)
