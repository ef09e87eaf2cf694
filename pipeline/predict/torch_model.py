"""Models in torch, on the GPU if there is one: the logits of a padded batch, and the features of an encoder."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
import transformers

from pipeline.evaluate.metrics import Vectors
from pipeline.models.batches import ModelInputs, to_ragged
from pipeline.models.compute import with_attention
from pipeline.models.device import choose_device
from pipeline.models.features import choose_for_extraction, extract_vectors
from pipeline.models.folder import load_encoder, load_model
from pipeline.models.heads import Head, name_classes, take_logits
from pipeline.models.inference import TOKEN_FEED
from pipeline.models.layers import shorten_last_layer
from pipeline.models.tokenizer import TYPES, tells_texts_apart
from pipeline.predict.logits import CPU_BATCH_TOKENS, GPU_BATCH_TOKENS, Arrays, Compute, ModelRows
from pipeline.settings.task import ExtractParams


def open_torch(folder: Path, opener: str, reads: str, *, labels: tuple[str, ...], threads: int) -> tuple[Compute, int]:
    """Return what computes the logits of the arrays of a batch, and the tokens of one that suit it.

    `opener` is the class of transformers that opens the model, and `reads` what its head reads of the last layer: of
    every token, the logits are (B, T, C), otherwise (B, C). `threads` 0 leaves torch's own choice.

    The precision is fp32 on a CPU, as `evaluate` has it, and bf16 on a GPU that knows it.

    Raises:
        EnvironmentFault: A file is missing or damaged.
    """
    if threads:
        torch.set_num_threads(threads)
    device = choose_device("auto" if torch.cuda.is_available() else "fp32")
    model = load_model(folder, Head(getattr(transformers, opener), name_classes(labels))).to(device.device).eval()  # type: ignore[arg-type]  # the library's wrapper
    typed = tells_texts_apart(folder)
    if device.device.type == "cuda" and reads != "image":
        model.set_attn_implementation("sdpa")

    def compute(arrays: Arrays) -> npt.NDArray[np.float32]:
        inputs: ModelInputs = {name: torch.from_numpy(values).to(device.device) for name, values in arrays.items()}
        if "attention_mask" in arrays and arrays["attention_mask"].all():
            inputs["attention_mask"] = None
        if not typed:
            inputs.pop(TYPES, None)
        shortened = shorten_last_layer(model) if reads == "first token" else nullcontext()
        autocast = torch.autocast(device.device.type, torch.bfloat16, enabled=device.precision == "bf16")
        with torch.inference_mode(), shortened, autocast:
            logits = take_logits(model(**inputs))
        return np.asarray(logits.float().cpu().numpy())

    return compute, GPU_BATCH_TOKENS if device.device.type == "cuda" else CPU_BATCH_TOKENS


def open_extractor(folder: Path, params: ExtractParams) -> Callable[[ModelRows], Vectors]:
    """Return what gives each row of token ids, with their types if it has any, its vector, (N, H), as `extract` does.

    Raises:
        EnvironmentFault: The encoder is missing or damaged.
    """
    model, typed = load_encoder(folder), tells_texts_apart(folder)

    def extract(ids: ModelRows) -> Vectors:
        rows = [np.asarray(row, np.int32).reshape(len(row), -1).T for row in ids]
        tokens, *types = (to_ragged(pa.array(side, pa.list_(pa.int32()))) for side in zip(*rows, strict=True))
        if types and typed:
            tokens = tokens._replace(types=types[0].values)
        choice = choose_for_extraction(model, tokens, params, TOKEN_FEED)
        with with_attention(model, choice.attention):
            return np.asarray(extract_vectors(model, tokens, params, choose_device(choice.precision), kind=TOKEN_FEED))

    return extract
