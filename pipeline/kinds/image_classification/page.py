"""The page of a class for each image."""

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
from pipeline.images.decoding import CHANGE_TITLES
from pipeline.kinds.image_classification.baseline_names import IMAGE_BASELINES
from pipeline.report.kind import CardParts, Page, Task


def _describe(task: Task) -> CardParts:
    evaluation = task.evaluation
    return CardParts(
        tag="image-classification",
        hub_metrics=HUB_METRICS,
        introduction=f"An image classifier with {len(evaluation['labels'])} classes",
        outputs=number_classes(evaluation),
        use=f"""```python
from transformers import pipeline

classify = pipeline("image-classification", model="data/model/{task.name}")
print(classify("a picture.png"))
```

Its image processor, saved beside it, resizes and crops as in training, with Pillow.
The one that transformers takes if torchvision is installed differs from it in the last bits of a pixel.""",
        tables=tabulate_class_results(evaluation, task.intake["splits"]["train"]),
        limits=f"""It always answers with one of its classes,
even for an image that belongs to none. {describe_temperature(evaluation)}
A class or a slice with few test examples may be much worse than its numbers.""",
    )


PAGE = Page(
    metrics=METRICS,
    baselines=IMAGE_BASELINES,
    sections={key: title for key, title in SECTIONS.items() if key != "suspects"},
    template="classes.html",
    functions=FUNCTIONS,
    scale=SCALE,
    advise=advise_on_classes,
    summarize=summarize_classes,
    describe=_describe,
    changes=CHANGE_TITLES,
)
