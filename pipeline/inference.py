"""Class probabilities of token ids by a fine-tuned model in a folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from pipeline.batches import Ragged, collate, plan
from pipeline.errors import DataError, EnvironmentFault, examples
from pipeline.metrics import Floats
from pipeline.models import require_fit

# Memory and speed of a batch, not the result.
BATCH_TOKENS = 4096
BATCH_SIZE = 128
AGAIN = "Run `dvc repro`, which makes it again."


def probabilities(model_dir: Path, tokens: Ragged, *, labels: Sequence[str]) -> Floats:
    """Return the class probabilities of N examples, (N, C), columns in the order of `labels`.

    `tokens` are the ids of N examples, special tokens included. Examples of near-equal length share a batch, so almost
    nothing is padded. The model runs on the GPU if there is one, in fp32 and without dropout; the softmax is
    float64, so each row sums to 1 to the last digits.

    Raises:
        EnvironmentFault: The folder has no whole safetensors model.
        DataError: The model has other classes than `labels`, or no embedding for a token or for so many of them.
    """
    model: Any = load(model_dir, labels)
    require_fit(tokens, model)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device).eval()
    found = np.empty((len(tokens.lengths), len(labels)))
    with torch.inference_mode():
        for rows in plan(tokens.lengths, batch_tokens=BATCH_TOKENS, batch_size=BATCH_SIZE, rng=None):
            batch = collate(tokens, rows, pad_token_id=model.config.pad_token_id or 0, device=device)
            logits = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits
            found[rows] = torch.softmax(logits.double(), dim=-1).cpu().numpy()
    return found


def load(model_dir: Path, labels: Sequence[str]) -> PreTrainedModel:
    """Return the model of a folder: from safetensors only, no code of its own, no network.

    Raises:
        EnvironmentFault: A file is missing or damaged, or does not hold all of the weights.
        DataError: The model's classes are not `labels`, in this order.
    """
    _require_files(model_dir)
    try:
        loaded: tuple[PreTrainedModel, dict[str, Any]] = AutoModelForSequenceClassification.from_pretrained(
            model_dir,
            attn_implementation="eager",  # on a CPU and for short texts, faster than the fused kernel
            dtype=torch.float32,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise EnvironmentFault(f"{model_dir} could not be loaded: {error}. {AGAIN}") from error
    model, loading = loaded
    # The library would fill such weights with random numbers and go on.
    if lacking := sorted(loading["missing_keys"]):
        raise EnvironmentFault(f"{model_dir} lacks {len(lacking)} of its weights ({examples(lacking)}). {AGAIN}")
    names = [name for _, name in sorted((model.config.id2label or {}).items())]
    if names != list(labels):
        raise DataError(f"{model_dir} has the classes {examples(names)}; the tokens have {examples(labels)}. {AGAIN}")
    return model


def _require_files(model_dir: Path) -> None:
    """Refuse a folder without a configuration or without safetensors weights."""
    if not (model_dir / "config.json").is_file():
        raise EnvironmentFault(f"{model_dir} has no config.json, so it is no model. {AGAIN}")
    if not any(model_dir.glob("*.safetensors")):
        raise EnvironmentFault(f"{model_dir} has no *.safetensors file; no other kind of weights is loaded. {AGAIN}")
