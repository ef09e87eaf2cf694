"""Model cards: Markdown with the front matter of the Hub, to be the README of a trained model."""

from collections.abc import Mapping
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from pipeline.core.document import Document
from pipeline.core.format import (
    ENDINGS,
    count,
    escape_markdown,
    markdown_table,
    percent,
    plural,
    share,
    share_and_interval,
)
from pipeline.report.verdict import BASELINE_TITLES, Task, read_estimate
from pipeline.settings.task import CardParams

WORST_SLICES = 3


def classifier_card(task: Task, about: CardParams) -> str:
    """Return the card of a fine-tuned model: its classes, use, results on the test split, training and limits.

    What `about` leaves open is left out of the front matter: nothing is guessed.
    """
    evaluation, history = task.evaluation, task.history
    classes = "\n".join(f"{index}. {escape_markdown(label)}" for index, label in enumerate(evaluation["labels"]))
    limit = history["max_length"]
    return f"""---
{_front_matter(task, about)}
---

# {task.name}

A text classifier with {len(evaluation["labels"])} classes, fine-tuned by Transferline from `{history["encoder"]}`.

{classes}

## Use

```python
from transformers import pipeline

classify = pipeline("text-classification", model="data/model/{task.name}", truncation=True)
print(classify("a text"))
```

It reads the first {count(limit)} tokens of a text. Keep `truncation=True`: without it transformers cuts nothing, and
the model reads more than it was trained and tested on, or fails.

## Results

On {plural(evaluation["rows"], "test example")} that training never saw; brackets hold
{percent(evaluation["confidence"])} confidence intervals.

{_result_table(evaluation)}
{_class_table(evaluation, task.intake["splits"]["train"])}
{_slice_table(evaluation)}
## Training

{_describe_training(task)}

{_parameter_table(history["params"], without="task")}
## Limits

It is meant for texts like those it was trained on{_describe_language(about)}, and knows no others. It always
answers with one of its classes, even for a text that belongs to none. {_describe_temperature(evaluation)}
A class or a slice with few test examples may be much worse than its numbers. Let it decide nothing about a person
unchecked.
"""


def _front_matter(task: Task, about: CardParams) -> str:
    """Return the metadata that the Hub reads, YAML without its fences."""
    results = _list_results(task, about.dataset or task.name)
    data = ModelCardData(
        license=about.license,
        language=about.language,
        base_model=about.base_model,
        datasets=[about.dataset] if about.dataset else None,
        library_name="transformers",
        pipeline_tag="text-classification",
        metrics=["accuracy", "f1"],
        model_name=task.name if results else None,
        eval_results=results or None,
    )
    return data.to_yaml(line_break="\n").strip()


def _list_results(task: Task, dataset: str) -> list[EvalResult]:
    """Return the accuracy and the macro-F1 on the test split; the name of each holds its interval."""
    level = percent(task.evaluation["confidence"])
    results = []
    for key, metric, name in (("accuracy", "accuracy", "Accuracy"), ("macro_f1", "f1", "Macro-F1")):
        value, low, high, _ = read_estimate(task.evaluation["model"][key])
        if value is not None:
            around = "" if low is None or high is None else f", {level} interval {share(low)} to {share(high)}"
            results.append(
                EvalResult(
                    task_type="text-classification",
                    dataset_type=dataset,
                    dataset_name=task.name,
                    dataset_split="test",
                    metric_type=metric,
                    metric_value=round(value, 4),
                    metric_name=name + around,
                )
            )
    return results


def _result_table(evaluation: Document) -> str:
    models = [("**this model**", evaluation["model"])]
    models += [(title, evaluation["baselines"][key]) for key, title in BASELINE_TITLES.items()]
    rows = [(name, *(_cell(metrics[key]) for key in ("accuracy", "macro_f1", "ece"))) for name, metrics in models]
    return markdown_table(("model", "accuracy", "macro-F1", "calibration error"), rows, right=(1, 2, 3))


def _class_table(evaluation: Document, train: Mapping[str, int]) -> str:
    rows = [
        (
            escape_markdown(row["label"]),
            *(share(read_estimate(row[key]).value) for key in ("precision", "recall", "f1")),
            count(train.get(row["label"], 0)),
            count(row["support"]),
        )
        for row in evaluation["model"]["classes"]
    ]
    return markdown_table(("class", "precision", "recall", "F1", "trained on", "tested on"), rows, right=range(1, 6))


def _slice_table(evaluation: Document) -> str:
    """Return the slices of the lowest accuracy, the worst first; empty without slices."""
    known = [row for row in evaluation["slices"] if read_estimate(row["accuracy"]).value is not None]
    worst = sorted(known, key=lambda row: float(row["accuracy"]["value"]))[:WORST_SLICES]
    rows = [
        (escape_markdown(f"{row['slice']} {row['value']}"), _cell(row["accuracy"]), count(row["rows"])) for row in worst
    ]
    return markdown_table(("worst slices", "accuracy", "tested on"), rows, right=(1, 2)) if rows else ""


def _cell(raw: Document) -> str:
    estimate = read_estimate(raw)
    return share_and_interval(estimate.value, estimate.low, estimate.high)


def _describe_training(task: Task) -> str:
    history, source = task.history, escape_markdown(task.intake["file"])
    best, device, params = history["best"], history["device"], history["params"]
    versions = ", ".join(f"{package} {number}" for package, number in history["versions"].items())
    return f"""It was trained on {history["examples"]["train"]:,} examples of {source}, in {device["precision"]} on
{device["device"]}, for {history["evaluations"][-1]["step"]:,} of {history["steps"]:,} steps, and ended
{ENDINGS[history["stopped"]]}. The weights are those of step {best["step"]:,}, the best by `{params["metric"]}` on
{history["examples"]["validation"]:,} validation examples: loss {share(best["loss"])}, accuracy
{share(best["accuracy"])}, macro-F1 {share(best["macro_f1"])}. Packages: {versions}."""


def _describe_temperature(evaluation: Document) -> str:
    calibration = evaluation["calibration"]
    before, after = (share(read_estimate(calibration[key]["ece"]).value) for key in ("before", "after"))
    return (
        f"Its logits are divided by a temperature of {share(calibration['temperature'])}, fitted on validation, so its "
        f"probabilities can be read as such for texts like these (calibration error {after}, without it {before}), and "
        "for no others."
    )


def _describe_language(about: CardParams) -> str:
    return "" if about.language is None else f" (language: {escape_markdown(about.language)})"


def encoder_card(history: Mapping[str, Any], params: Mapping[str, Any]) -> str:
    """Return the card of a pretrained encoder: its corpus, its results on held-out text, its use and limits."""
    best, chance, name = history["best"], history["chance"], history["encoder"]
    documents, tokens, device = history["documents"], history["tokens"], history["device"]
    rows = [
        ("perplexity of the masked words", format(best["perplexity"], ".1f"), format(chance["perplexity"], ".1f")),
        ("accuracy on masked words", share(best["accuracy"]), share(chance["accuracy"])),
    ]
    if best["pair_accuracy"] is not None:
        kind = params["pair"].upper()
        rows.append((f"accuracy on pairs ({kind})", share(best["pair_accuracy"]), share(chance["pair_accuracy"])))
    return f"""---
library_name: transformers
pipeline_tag: fill-mask
---

# {name}

A {params["family"]} encoder with {history["parameters"]:,} weights and {history["vocabulary"]:,} tokens, pretrained by
Transferline on text without labels. Fine-tune it before use.

## Use

```python
from transformers import AutoModel, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("data/encoder/{name}")
encoder = AutoModel.from_pretrained("data/encoder/{name}")
```

## Training

It was trained on {documents["train"]:,} documents with {tokens["train"]:,} tokens, in {device["precision"]} on
{device["device"]}, for {history["evaluations"][-1]["step"]:,} of {history["steps"]:,} steps, and ended
{ENDINGS[history["stopped"]]}. The weights are those of step {best["step"]:,}, the best on {documents["held_out"]:,}
held-out documents. *By chance* is what frequencies alone give.

{markdown_table(("on held-out documents", "encoder", "by chance"), rows, right=(1, 2))}
{_parameter_table(params, without="encoder")}
## Limits

The encoder knows words as its corpus uses them, and nothing about a task until it is fine-tuned on one.
"""


def _parameter_table(params: Mapping[str, Any], *, without: str) -> str:
    rows = [(f"`{key}`", f"`{value}`") for key, value in params.items() if key != without]
    return markdown_table(("parameter", "value"), rows)
