"""A trained model as a folder that `from_pretrained` opens without any code of ours."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from transformers import PreTrainedModel

from pipeline.core.files import publish
from pipeline.core.format import ENDINGS, escape_markdown, markdown_table, share
from pipeline.models.folder import quiet
from pipeline.models.tokenizer import TOKENIZER_FILES


def save(model: PreTrainedModel, encoder: Path, card: str, out: Path) -> None:
    """Publish weights (safetensors), configuration, class names, the encoder's tokenizer and the card as one folder."""
    with publish(out) as partial:
        try:
            with quiet():
                model.save_pretrained(partial)
        except SafetensorError as error:  # what the library makes of a full disk
            raise OSError(str(error)) from error
        for name in TOKENIZER_FILES:
            if (encoder / name).is_file():
                shutil.copyfile(encoder / name, partial / name)
        (partial / "README.md").write_text(card, encoding="utf-8")


def card(*, task: str, labels: Sequence[str], history: Mapping[str, Any], params: Mapping[str, Any]) -> str:
    """Return the model card, Markdown with the Hub's front matter: what it is, how it was made, how to use it.

    It holds validation results only; the test results are the report's.
    """
    best, device = history["best"], history["device"]
    settings = "\n".join(f"| `{name}` | `{value}` |" for name, value in params.items() if name != "task")
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

{history["examples"]["train"]:,} examples, {history["evaluations"][-1]["step"]:,} of {history["steps"]:,} steps, ended
{ENDINGS[history["stopped"]]}; in {device["precision"]} on {device["device"]}. The weights are those of step
{best["step"]:,}, the best by `{params["metric"]}` on {history["examples"]["validation"]:,} validation examples: loss
{format(best["loss"], ".3f")}, accuracy {share(best["accuracy"])}, macro-F1 {share(best["macro_f1"])}. The
results on the test split are in the report.

| parameter | value |
| --- | --- |
{settings}

## Limits

It knows texts like those it was trained on, and nothing else. It always answers with one of its classes, also for a
text that belongs to none. Its probabilities are as honest as the calibration curve in the report says.
"""


def pretrained_card(history: Mapping[str, Any], params: Mapping[str, Any]) -> str:
    """Return the model card of an encoder: what it learned from, how well it knows held-out text, how to use it."""
    best, chance, name = history["best"], history["chance"], history["encoder"]
    documents, tokens, device = history["documents"], history["tokens"], history["device"]
    settings = "\n".join(f"| `{key}` | `{value}` |" for key, value in params.items() if key != "encoder")
    rows = [
        ("perplexity of the hidden words", format(best["perplexity"], ".1f"), format(chance["perplexity"], ".1f")),
        ("hidden words named", share(best["accuracy"]), share(chance["accuracy"])),
    ]
    if best["pair_accuracy"] is not None:
        kind = params["pair"].upper()
        rows.append((f"pairs told apart ({kind})", share(best["pair_accuracy"]), share(chance["pair_accuracy"])))
    if best["found_accuracy"] is not None:
        rows.append(("replaced tokens told from those of the text", share(best["found_accuracy"]), share(None)))
    # ELECTRA's words are its generator's, which is not kept.
    use = "feature-extraction" if params["family"] == "electra" else "fill-mask"
    return f"""---
library_name: transformers
pipeline_tag: {use}
---

# {name}

A {params["family"]} encoder of {history["parameters"]:,} weights and {history["vocabulary"]:,} tokens, pretrained by
Transferline on text without labels. It is made to be fine-tuned.

## Use

```python
from transformers import AutoModel, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("data/encoder/{name}")
encoder = AutoModel.from_pretrained("data/encoder/{name}")
```

## Training

{documents["train"]:,} documents of {tokens["train"]:,} tokens, {history["evaluations"][-1]["step"]:,} of
{history["steps"]:,} steps, ended {ENDINGS[history["stopped"]]}; in {device["precision"]} on {device["device"]}. The
weights are those of step {best["step"]:,}, the best on {documents["held_out"]:,} held-out documents. By chance is what
frequencies alone give.

{markdown_table(("on held-out documents", "it", "by chance"), rows, right=(1, 2))}
| parameter | value |
| --- | --- |
{settings}

## Limits

It knows words as its corpus uses them, and nothing of a task before it is fine-tuned on one.
"""
