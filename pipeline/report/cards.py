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
from pipeline.report.kind import CardParts, Task
from pipeline.report.verdict import describe_best, read_estimate
from pipeline.settings.task import CardParams

WORST_SLICES = 3


def model_card(task: Task, about: CardParams) -> str:
    """Return the card of a fine-tuned model: its outputs, use, results on the test split, training and limits.

    What `about` leaves open is left out of the front matter: nothing is guessed.
    """
    evaluation, history, parts = task.evaluation, task.history, task.page.describe(task)
    outputs = f"\n{parts.outputs}\n" if parts.outputs else ""
    return f"""---
{_front_matter(task, about, parts)}
---

# {task.name}

{parts.introduction}, fine-tuned by Transferline from `{history["encoder"]}`.
{outputs}
## Use

{parts.use}

## Results

On {plural(evaluation["rows"], "test example")} that training never saw; brackets hold
{percent(evaluation["confidence"])} confidence intervals.

{_result_table(task)}
{parts.tables}
{_slice_table(task)}
## Training

{_describe_training(task)}

{_parameter_table(history["params"], without="task")}
## Limits

It is meant for inputs like those it was trained on{_describe_language(about)}, and knows no others. {parts.limits}
Let it decide nothing about a person unchecked.
"""


def _front_matter(task: Task, about: CardParams, parts: CardParts) -> str:
    """Return the metadata that the Hub reads, YAML without its fences."""
    results = _list_results(task, about.dataset or task.name, parts)
    data = ModelCardData(
        license=about.license,
        language=about.language,
        base_model=about.base_model,
        datasets=[about.dataset] if about.dataset else None,
        library_name="transformers",
        pipeline_tag=parts.tag,
        metrics=[metric for _, metric, _ in parts.hub_metrics],
        model_name=task.name if results else None,
        eval_results=results or None,
    )
    return data.to_yaml(line_break="\n").strip()


def _list_results(task: Task, dataset: str, parts: CardParts) -> list[EvalResult]:
    """Return the metrics of the Hub on the test split; the name of each holds its interval."""
    level = percent(task.evaluation["confidence"])
    results = []
    for key, metric, name in parts.hub_metrics:
        value, low, high, _ = read_estimate(task.evaluation["model"][key])
        if value is not None:
            around = "" if low is None or high is None else f", {level} interval {share(low)} to {share(high)}"
            results.append(
                EvalResult(
                    task_type=parts.tag,
                    dataset_type=dataset,
                    dataset_name=task.name,
                    dataset_split="test",
                    metric_type=metric,
                    metric_value=round(value, 4),
                    metric_name=name + around,
                )
            )
    return results


def _result_table(task: Task) -> str:
    """Return the metrics of the model and its baselines: those that are compared, and the last one if it is not."""
    evaluation = task.evaluation
    shown = [metric for metric in task.page.metrics if metric.compared or metric is task.page.metrics[-1]]
    models = [("**this model**", evaluation["model"])]
    known = task.page.baselines.listed(evaluation["baselines"])
    models += [(one.title, evaluation["baselines"][one.name]) for one in known]
    rows = [(name, *(_cell(metrics[metric.name]) for metric in shown)) for name, metrics in models]
    header = ("model", *(metric.title for metric in shown))
    return markdown_table(header, rows, right=range(1, len(header)))


def _slice_table(task: Task) -> str:
    """Return the slices that are worst by the headline metric, the worst first; empty without slices."""
    metric = task.page.headline
    known = [row for row in task.evaluation["slices"] if read_estimate(row[metric.name]).value is not None]
    worst = sorted(known, key=lambda row: metric.better * float(row[metric.name]["value"]))[:WORST_SLICES]
    rows = [
        (escape_markdown(f"{row['slice']} {row['value']}"), _cell(row[metric.name]), count(row["rows"]))
        for row in worst
    ]
    return markdown_table(("worst slices", metric.title, "tested on"), rows, right=(1, 2)) if rows else ""


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
{history["examples"]["validation"]:,} validation examples: {describe_best(task)}. Packages: {versions}."""


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
