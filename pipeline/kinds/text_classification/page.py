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

_PIPELINE = """```python
from transformers import pipeline

classify = pipeline("text-classification", model="data/model/{name}", truncation=True)
print(classify({example}))
```

It reads {read}. Keep `truncation=True`:
without it transformers cuts nothing, and the model reads more than it was trained and tested on, or fails."""
_WINDOWS = """```python
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

folder = "data/model/{name}"
tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForSequenceClassification.from_pretrained(folder)
windows = tokenizer(
    "a text", truncation=True, stride={stride}, return_overflowing_tokens=True, padding=True, return_tensors="pt"
)
windows.pop("overflow_to_sample_mapping")
with torch.inference_mode():
    probabilities = model(**windows).logits.mean(dim=0).softmax(-1)
print(dict(zip(model.config.id2label.values(), probabilities.tolist())))
```

It reads a text in windows of {length} tokens that share {stride}, and the mean of their logits counts.
A pipeline of transformers reads the first window alone."""


def _describe_use(task: Task, *, pairs: bool) -> str:
    """Return how to ask the model, with code."""
    length, windows = count(task.history["max_length"]), task.history.get("windows")
    if windows is not None:
        return _WINDOWS.format(name=task.name, stride=windows["stride"], length=length)
    if pairs:
        example, read = (
            '{"text": "a text", "text_pair": "another"}',
            f"{length} tokens of a pair, and cuts the longer text",
        )
    else:
        example, read = '"a text"', f"the first {length} tokens of a text"
    return _PIPELINE.format(name=task.name, example=example, read=read)


def _describe(task: Task) -> CardParts:
    evaluation = task.evaluation
    classes, pairs = len(evaluation["labels"]), "second" in evaluation["baselines"]
    return CardParts(
        tag="text-classification",
        hub_metrics=HUB_METRICS,
        introduction=f"{'A classifier of pairs of texts' if pairs else 'A text classifier'} with {classes} classes",
        outputs=number_classes(evaluation),
        use=_describe_use(task, pairs=pairs),
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
    keeps_cheap=True,
)
