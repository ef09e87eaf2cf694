"""Heads of fine-tuned models: the class of the library that has one, and what its configuration says of a task."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from transformers import AutoModelForSequenceClassification, PretrainedConfig

from pipeline.core.errors import listed
from pipeline.settings.shared.text_forms import READS_PAIRS, READS_WINDOWS


class Head(NamedTuple):
    """A head on an encoder.

    Args:
        model: The class that opens a model with such a head, `AutoModelFor...`.
        config: Keys of the configuration that belong to the task, with their values.
    """

    model: Any
    config: Mapping[str, Any]


def name_classes(labels: Sequence[str]) -> dict[str, Any]:
    """Return the keys of a configuration that name the outputs of a head, in order."""
    return {"id2label": dict(enumerate(labels)), "label2id": {label: index for index, label in enumerate(labels)}}


def classifier_head(labels: Sequence[str]) -> Head:
    """Return the head that tells texts of these classes apart."""
    return Head(AutoModelForSequenceClassification, name_classes(labels))


def mark_reading(head: Head, *, pairs: bool, stride: int | None = None) -> Head:
    """Return the head of a model whose configuration says that it reads pairs of texts, or texts in windows."""
    windows = {} if stride is None else {READS_WINDOWS: stride}
    return head._replace(config={**head.config, **({READS_PAIRS: True} if pairs else {}), **windows})


def describe_difference(head: Head, config: PretrainedConfig) -> str | None:
    """Return how a configuration differs from that of a head, in words; None if it does not."""
    for key, wanted in head.config.items():
        present = getattr(config, key, None)
        if key == "id2label":
            names, labels = (list(dict(sorted((values or {}).items())).values()) for values in (present, wanted))
            if names != labels:
                return f"the model has other classes than the tokens, {listed(names)} for {listed(labels)}"
        elif present != wanted and key != "label2id":  # the same names, which not every model has both ways
            return f"the model has {present!r} as `{key}`, its task {wanted!r}"
    return None


def take_logits(output: Any) -> torch.Tensor:
    """Return the logits that a model gives a batch; those of a span head, of starts and of ends, are two columns."""
    logits: torch.Tensor = (
        output.logits if "logits" in output else torch.stack([output.start_logits, output.end_logits], dim=-1)
    )
    return logits
