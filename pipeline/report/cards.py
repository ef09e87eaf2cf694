"""Model cards: the README of a trained model, Markdown with the front matter of the Hub."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.core.format import ENDINGS, escape_markdown, markdown_table, share


def classifier_card(*, task: str, labels: Sequence[str], history: Mapping[str, Any], params: Mapping[str, Any]) -> str:
    """Return the card of a fine-tuned model: its classes, use, training and limits.

    It holds validation results only; the report has the test results.
    """
    best, device = history["best"], history["device"]
    classes = "\n".join(f"{index}. {escape_markdown(label)}" for index, label in enumerate(labels))
    return f"""---
library_name: transformers
pipeline_tag: text-classification
---

# {task}

A text classifier with {len(labels)} classes, fine-tuned by Transferline.

{classes}

## Use

```python
from transformers import pipeline

classify = pipeline("text-classification", model="data/model/{task}")
classify("a text")
```

## Training

It was trained on {history["examples"]["train"]:,} examples, in {device["precision"]} on {device["device"]}, for
{history["evaluations"][-1]["step"]:,} of {history["steps"]:,} steps, and ended {ENDINGS[history["stopped"]]}.
The weights are those of step {best["step"]:,}, the best by `{params["metric"]}` on
{history["examples"]["validation"]:,} validation examples: loss {format(best["loss"], ".3f")}, accuracy
{share(best["accuracy"])}, macro-F1 {share(best["macro_f1"])}. The results on the test split are in the report.

{_parameter_table(params, without="task")}
## Limits

The model only knows texts like those it was trained on. It always answers with one of its classes, even for a text that
belongs to none. The calibration curve in the report shows how far its probabilities can be trusted.
"""


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
