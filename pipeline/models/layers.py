"""The parts of a model: freezing, layer-wise learning rates, a shortened last layer, and checks that tokens fit."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import PretrainedConfig, PreTrainedModel
from transformers.models.bert.modeling_bert import BertLayer
from transformers.models.electra.modeling_electra import ElectraLayer
from transformers.models.roberta.modeling_roberta import RobertaLayer

from pipeline.core.errors import DataError, UsageError, listed
from pipeline.models.attention import attend
from pipeline.models.batches import ModelInputs, Ragged, Segments

# Layers of one layout under heads that read the first token alone; the last layer's other tokens are never used.
FIRST_TOKEN_LAYERS = (BertLayer, RobertaLayer, ElectraLayer)


# ------------------------------------------------------------------------------------------------ the last layer
class FirstTokenLayer(nn.Module):
    """The last layer of an encoder whose head reads the first token alone: (B, T, H) in, (B, 1, H) out.

    Only keys and values are computed for every token; query, attention output and feed-forward for the first. The
    result for that token, and every gradient, equals the whole layer's. The children keep their names, so a state dict
    has the same keys.
    """

    def __init__(self, layer: Any) -> None:
        """Share the parts of a whole layer."""
        super().__init__()
        self.attention, self.intermediate, self.output = layer.attention, layer.intermediate, layer.output

    def forward(
        self,
        hidden_states: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        *_: Any,
        segments: Segments | None = None,
        **__: Any,
    ) -> torch.Tensor:
        """Return the layer's output for the first token of each example, (B, 1, H), of a padded or a flat batch."""
        first = hidden_states[:, :1] if segments is None else hidden_states[0, segments.bounds[:-1]][:, None]
        parts = self.attention.self
        query, key, value = (
            projection(tokens).unflatten(-1, (-1, parts.attention_head_size))
            for projection, tokens in ((parts.query, first), (parts.key, hidden_states), (parts.value, hidden_states))
        )
        dropout = parts.dropout.p if parts.training else 0.0
        if segments is None:
            context = nn.functional.scaled_dot_product_attention(
                query.transpose(1, 2),
                key.transpose(1, 2),
                value.transpose(1, 2),
                attn_mask=None if attention_mask is None else attention_mask[..., :1, :],
                dropout_p=dropout,
                scale=parts.scaling,
            ).transpose(1, 2)
        else:
            context = attend(query[:, 0], key[0], value[0], segments, scale=parts.scaling, dropout=dropout)[:, None]
        attended: torch.Tensor = self.attention.output(context.flatten(2), first)
        output: torch.Tensor = self.output(self.intermediate(attended), attended)
        return output


@contextlib.contextmanager
def shorten_last_layer(model: PreTrainedModel) -> Iterator[None]:
    """Make the last layer return what the head reads inside the block.

    In `FIRST_TOKEN_LAYERS` that is the first token alone, and no other is computed, which saves most of one layer. In
    other families every token is computed, and those of a flat batch are returned at their padded positions, where the
    stock head reads them. Logits and gradients stay the same to float tolerance.
    """
    stack = find_layers(model)
    whole = stack[-1]
    hook = whole.register_forward_hook(_unpack, with_kwargs=True)
    if isinstance(whole, FIRST_TOKEN_LAYERS):
        stack[-1] = FirstTokenLayer(whole)
    try:
        yield
    finally:
        stack[-1] = whole
        hook.remove()


def _unpack(_layer: nn.Module, _args: object, kwargs: ModelInputs, output: torch.Tensor) -> torch.Tensor:
    """Return the tokens of a flat batch, (1, N, H), as a padded one, (B, T, H); the mask hides the padding."""
    segments: Segments | None = kwargs.get("segments")
    return output if segments is None else output[0, segments.unpack]


# ------------------------------------------------------------------------------------------------ learning
def freeze(model: PreTrainedModel, *, embeddings: bool, layers: int) -> None:
    """Stop the lowest `layers` encoder layers from learning, and the embeddings if asked.

    Raises:
        UsageError: The encoder has fewer layers.
    """
    stack = find_layers(model)
    if layers > len(stack):
        raise UsageError(
            f"freeze_layers: the encoder has {len(stack)} layers, found {layers}. Set it to {len(stack)} or less."
        )
    frozen = [*(_embeddings(model) if embeddings else []), *stack[:layers]]
    for module in frozen:
        module.requires_grad_(requires_grad=False)


def scale_layer_rates(model: PreTrainedModel, decay: float) -> dict[str, float]:
    """Return the factor of each parameter's learning rate, by name: `decay` for every layer between it and the head.

    The head and the pooler have 1, the top layer `decay`, the one below `decay`^2, the embeddings `decay`^(layers + 1).

    Source: Howard and Ruder 2018, Universal Language Model Fine-tuning, section 3.2; Clark et al. 2020, ELECTRA.
    """
    stack = find_layers(model)
    depths = {parameter: len(stack) + 1 for module in _embeddings(model) for parameter in module.parameters()}
    for below, layer in enumerate(stack):
        depths |= dict.fromkeys(layer.parameters(), len(stack) - below)
    return {name: decay ** depths.get(parameter, 0) for name, parameter in model.named_parameters()}


# ------------------------------------------------------------------------------------------------ fit
def require_fit(tokens: Ragged, model: PreTrainedModel) -> None:
    """Refuse token ids and lengths for which the model has no embedding.

    Raises:
        DataError: A token id or a length is out of the model's range.
    """
    words: Any = model.get_input_embeddings()
    unknown = (tokens.values < 0) | (tokens.values >= words.num_embeddings)
    if unknown.any():
        raise DataError(
            f"tokens: {unknown.sum()} ids of another encoder's tokenizer, {listed(tokens.values[unknown].tolist())}; "
            f"this model knows 0 to {words.num_embeddings - 1}. Tokenise with this encoder."
        )
    longest = count_positions(model) or len(tokens.values)
    lengths = tokens.windows.lengths
    rows = np.flatnonzero((lengths < 1) | (lengths > longest))
    if len(rows):
        raise DataError(
            f"tokens: {len(rows)} rows (from 0: {listed(rows.tolist())}) must have 1 to {longest} tokens, found "
            f"{listed(lengths[rows].tolist())}. Lower `tokenize.max_length`."
        )


def count_positions(model: PreTrainedModel) -> int | None:
    """Return how many tokens the model can take, None if its configuration does not say.

    RoBERTa counts positions from the padding index + 1, so that many of its embeddings are never used.
    """
    places: int | None = getattr(model.config, "max_position_embeddings", None)
    return places if places is None else places - find_first_position(model)


def find_first_position(model: PreTrainedModel) -> int:
    """Return the position of an example's first token: 0, or in RoBERTa the one after the padding index."""
    learned = getattr(_embeddings(model)[0], "position_embeddings", None)
    unused: int | None = getattr(learned, "padding_idx", None)
    return 0 if unused is None else unused + 1


# ------------------------------------------------------------------------------------------------ parts
def find_layers(model: PreTrainedModel) -> nn.ModuleList:
    """Return the stack of encoder layers, lowest first.

    Raises:
        UsageError: The family keeps them elsewhere.
    """
    depth = count_layers(model.config)
    for module in model.base_model.modules():
        if isinstance(module, nn.ModuleList) and len(module) == depth:
            return module
    raise UsageError(f"encoder: {type(model).__name__} has no stack of {depth} layers. Choose another family.")


def count_layers(config: PretrainedConfig) -> int:
    """Return the number of layers of an encoder; the stages of a convolutional one count as such."""
    return len(config.depths) if hasattr(config, "depths") else config.num_hidden_layers


def _embeddings(model: PreTrainedModel) -> list[nn.Module]:
    """Return the modules below the layers: the embeddings, and in ELECTRA the projection to the width of a layer.

    Raises:
        UsageError: The family keeps them elsewhere.
    """
    base: Any = model.base_model
    lowest = getattr(base, "embeddings", getattr(base, "embedder", None))
    if lowest is None:
        raise UsageError(f"encoder: {type(model).__name__} has no `embeddings`. Choose another family.")
    return [lowest, *([base.embeddings_project] if hasattr(base, "embeddings_project") else [])]
