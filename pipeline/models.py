"""What is done to the parts of a model: kept as they are, cut to what is read, held against the tokens."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.models.bert.modeling_bert import BertLayer
from transformers.models.electra.modeling_electra import ElectraLayer
from transformers.models.roberta.modeling_roberta import RobertaLayer

from pipeline.batches import Ragged
from pipeline.errors import DataError, UsageError, examples

# Layers of one layout, whose heads read the first token alone: what the last one computes for the others is unused.
FIRST_TOKEN_LAYERS = (BertLayer, RobertaLayer, ElectraLayer)


class FirstTokenLayer(nn.Module):
    """The last layer of an encoder whose head reads the first token alone: (B, T, H) in, (B, 1, H) out.

    Only keys and values are computed for every token; query, attention output and feed-forward for the first. The
    result for that token, and every gradient, equals the whole layer's. The children keep their names, so a state dict
    has the same keys.
    """

    def __init__(self, layer: Any) -> None:
        """Take the parts of a whole layer over."""
        super().__init__()
        self.attention, self.intermediate, self.output = layer.attention, layer.intermediate, layer.output

    def forward(
        self, hidden_states: torch.Tensor, attention_mask: torch.Tensor | None = None, *_: Any, **__: Any
    ) -> torch.Tensor:
        """Return the layer's output for the first token, (B, 1, H)."""
        attend, first = self.attention.self, hidden_states[:, :1]

        def heads(projected: torch.Tensor) -> torch.Tensor:
            return projected.view(*projected.shape[:-1], -1, attend.attention_head_size).transpose(1, 2)

        context = nn.functional.scaled_dot_product_attention(
            heads(attend.query(first)),
            heads(attend.key(hidden_states)),
            heads(attend.value(hidden_states)),
            attn_mask=None if attention_mask is None else attention_mask[..., :1, :],
            dropout_p=attend.dropout.p if self.training else 0.0,
            scale=attend.scaling,
        )
        attended: torch.Tensor = self.attention.output(context.transpose(1, 2).flatten(2), first)
        output: torch.Tensor = self.output(self.intermediate(attended), attended)
        return output


def freeze(model: PreTrainedModel, *, embeddings: bool, layers: int) -> None:
    """Make the embeddings and the lowest `layers` encoder layers keep their weights.

    Raises:
        UsageError: The encoder has fewer layers.
    """
    stack = encoder_layers(model)
    if layers > len(stack):
        raise UsageError(
            f"`freeze_layers` is {layers}, and the encoder has {len(stack)} layers; take that many at most"
        )
    frozen = [*([model.base_model.embeddings] if embeddings else []), *stack[:layers]]
    for module in frozen:
        module.requires_grad_(requires_grad=False)


@contextlib.contextmanager
def only_what_the_head_reads(model: PreTrainedModel) -> Iterator[None]:
    """Make the last layer compute the first token alone inside the block, where the family allows it.

    Logits and gradients stay the same to float tolerance; the saving is most of one layer.
    """
    stack = encoder_layers(model)
    whole = stack[-1]
    if isinstance(whole, FIRST_TOKEN_LAYERS):
        stack[-1] = FirstTokenLayer(whole)
    try:
        yield
    finally:
        stack[-1] = whole


def require_fit(tokens: Ragged, model: PreTrainedModel) -> None:
    """Refuse token ids and lengths for which the model has no embedding.

    Raises:
        DataError: A token id, or a length, is more than the model knows.
    """
    words: Any = model.get_input_embeddings()
    strange = (tokens.values < 0) | (tokens.values >= words.num_embeddings)
    if strange.any():
        raise DataError(
            f"{strange.sum()} token ids ({examples(tokens.values[strange].tolist())}) are unknown to the model, which "
            f"knows 0 to {words.num_embeddings - 1}: the tokens are of another encoder. Tokenise with this one."
        )
    longest = positions(model) or len(tokens.values)
    rows = np.flatnonzero((tokens.lengths < 1) | (tokens.lengths > longest))
    if len(rows):
        raise DataError(
            f"{len(rows)} rows (from 0: {examples(rows.tolist())}) have {examples(tokens.lengths[rows].tolist())} "
            f"tokens; the model takes 1 to {longest}. Lower tokenize.max_length."
        )


def positions(model: PreTrainedModel) -> int | None:
    """Return how many tokens the model can take, None where it does not say.

    RoBERTa counts positions from the padding index + 1 on, so that many of its embeddings are never used.
    """
    places: int | None = getattr(model.config, "max_position_embeddings", None)
    learned = getattr(model.base_model.embeddings, "position_embeddings", None)
    unused = getattr(learned, "padding_idx", None)
    return places if places is None or unused is None else places - unused - 1


def encoder_layers(model: PreTrainedModel) -> nn.ModuleList:
    """Return the stack of encoder layers, lowest first."""
    depth = model.config.num_hidden_layers
    for module in model.base_model.modules():
        if isinstance(module, nn.ModuleList) and len(module) == depth:
            return module
    raise UsageError(f"{type(model).__name__} has no stack of {depth} layers; take an encoder of another family")
