"""Feature vectors by a frozen encoder: the hidden states of one layer, pooled over the tokens of each example."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from transformers import PreTrainedModel

from pipeline.core.errors import REPRODUCE, DataError, UsageError, listed
from pipeline.evaluate.metrics import Vectors
from pipeline.models.batching import Indices, plan_batches, plan_tight_batches
from pipeline.models.compute import ROWS_COMPARED, Choice, choose_compute
from pipeline.models.device import Device
from pipeline.models.inference import Feed
from pipeline.models.inputs import find_first_windows
from pipeline.models.layers import count_layers
from pipeline.settings.task import ExtractParams


# ------------------------------------------------------------------------------------------------ pooling
def _pool_first(hidden: torch.Tensor, _real: torch.Tensor) -> torch.Tensor:
    return hidden[:, 0]


def _pool_mean(hidden: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    unpadded = hidden.masked_fill(~real[..., None], 0.0)
    return unpadded.sum(dim=1) / real.sum(dim=1, keepdim=True)


def _pool_max(hidden: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    return hidden.masked_fill(~real[..., None], float("-inf")).amax(dim=1)


# (B, T, H) hidden states and (B, T) whether a token is real, not padding -> (B, H); [CLS] and [SEP] count as tokens.
# Source: Reimers and Gurevych 2019, Sentence-BERT, section 3.
POOLINGS = {"cls": _pool_first, "mean": _pool_mean, "max": _pool_max}


# ------------------------------------------------------------------------------------------------ extraction
def extract_vectors(
    model: PreTrainedModel,
    rows: Any,
    params: ExtractParams,
    device: Device,
    *,
    kind: Feed,
    done: Callable[[int], None] = lambda _: None,
) -> Vectors:
    """Return one vector for each of N rows of a `kind`, (N, H) float32; `done` receives the size of each batch.

    Examples of near-equal length share a batch. The other examples of a batch move a vector by no more than the order
    of summation does (1e-6 of its size in fp32), since padding is neither attended to nor pooled.
    """
    model.to(device.device).eval()  # type: ignore[arg-type]  # the library's wrapper loses its own signature
    vectors: Vectors | None = None
    with torch.inference_mode():
        for batch in plan_tight_batches(
            kind.lengths(rows), batch_tokens=params.batch_tokens, batch_size=params.batch_size
        ):
            part = pool_batch(model, rows, batch, params, device, kind).cpu().numpy()
            vectors = np.empty((len(kind.lengths(rows)), part.shape[1]), np.float32) if vectors is None else vectors
            vectors[batch] = part
            done(len(batch))
    return np.empty((0, 0), np.float32) if vectors is None else vectors


def extract_part(
    model: PreTrainedModel,
    part: pa.RecordBatch,
    params: ExtractParams,
    device: Device,
    *,
    kind: Feed,
    vector: pa.DataType,
    done: Callable[[int], None],
) -> pa.RecordBatch:
    """Return the column `features`, of the type `vector`, of some rows of a model's inputs; they depend on no others.

    Raises:
        DataError: Some numbers are infinite or NaN.
    """
    vectors = extract_vectors(model, kind.rows(part), params, device, kind=kind, done=done)
    require_finite_vectors(vectors, part["id"].to_pylist())
    return pa.record_batch([pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), type=vector)], ["features"])


def pool_batch(
    model: PreTrainedModel, rows: Any, batch: Indices, params: ExtractParams, device: Device, kind: Feed
) -> torch.Tensor:
    """Return the vectors of one batch, (B, H) float32 on the device."""
    inputs = kind.collate(model, rows, batch, device)
    inner = params.layer not in (-1, count_layers(model.config))
    with torch.autocast(device.device.type, torch.bfloat16, enabled=device.precision == "bf16"):
        output = model(**inputs, output_hidden_states=inner)
    hidden = (output.hidden_states[params.layer] if inner else output.last_hidden_state).float()
    if "segments" in inputs:
        hidden = hidden[0, inputs["segments"].unpack]
    if hidden.dim() == 4:  # the places of an image, (B, H, Y, X), are its tokens
        hidden = hidden.flatten(2).transpose(1, 2)
    mask = inputs.get("attention_mask")
    real = torch.ones(hidden.shape[:2], dtype=torch.bool, device=hidden.device) if mask is None else mask.bool()
    return POOLINGS[params.pooling](hidden, real)


def pool_windows(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield one row a text, with the mean of the vectors (`features`) of its windows, which are neighbours."""
    waiting: pa.RecordBatch | None = None
    for batch in batches:
        whole = batch if waiting is None else pa.concat_batches([waiting, batch])
        last = int(find_first_windows(whole["id"].to_pylist())[-1])  # the next batch may go on with its text
        yield from _pool_texts(whole.slice(0, last))
        waiting = whole.slice(last)
    yield from () if waiting is None else _pool_texts(waiting)


def _pool_texts(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    if not batch.num_rows:
        return
    first = find_first_windows(batch["id"].to_pylist())
    column = batch["features"]
    vectors = column.flatten().to_numpy().reshape(batch.num_rows, -1)
    means = np.add.reduceat(vectors.astype(np.float64), first) / np.diff(np.append(first, batch.num_rows))[:, None]
    pooled = pa.FixedSizeListArray.from_arrays(pa.array(means.astype(np.float32).ravel()), type=column.type)
    texts = batch.take(pa.array(first))
    yield texts.set_column(texts.schema.get_field_index("features"), texts.schema.field("features"), pooled)


def choose_for_extraction(model: PreTrainedModel, rows: Any, params: ExtractParams, kind: Feed) -> Choice:
    """Return the compute choice of an extraction, compared on some of its rows; see `choose_compute`.

    Raises:
        DataError: There are no rows.
        UsageError: The model cannot compute with the attention that `params` sets.
    """
    batches = plan_batches(kind.lengths(rows), batch_tokens=params.batch_tokens, batch_size=params.batch_size, rng=None)
    if not batches:
        raise DataError(f"extract: no example in the tokens, 0 rows. {REPRODUCE}")
    compared = batches[len(batches) // 2][:ROWS_COMPARED]

    return choose_compute(model, params, lambda device: pool_batch(model, rows, compared, params, device, kind))


def require_layer(model: PreTrainedModel, layer: int) -> None:
    """Refuse a layer that the encoder does not have.

    Raises:
        UsageError: It has fewer.
    """
    depth = count_layers(model.config)
    if layer > depth:
        raise UsageError(
            f"extract.layer: the encoder has {depth} layers, found {layer}. Set it to 1 to {depth}, to 0 for the "
            "embeddings, or to -1 for the last layer."
        )


def require_finite_vectors(vectors: Vectors, ids: Sequence[str]) -> None:
    """Refuse vectors (N, H) from which nothing can be learned; `ids` names their examples.

    Raises:
        DataError: Some numbers are infinite or NaN; the message names their examples.
    """
    broken = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(broken):
        raise DataError(
            f"extract: {len(broken)} examples have vectors that are not finite, since the encoder's weights are "
            f"damaged or overflow in this precision: ids {listed(ids[row] for row in broken.tolist())}. Fetch the "
            "encoder again, or set `extract.precision: fp32`."
        )
