"""Pretrained encoders with a new classification head, and what fine-tuning changes in them."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel
from transformers.models.bert.modeling_bert import BertLayer
from transformers.models.electra.modeling_electra import ElectraLayer
from transformers.models.roberta.modeling_roberta import RobertaLayer

from pipeline.errors import EnvironmentFault

# Every name under which a family keeps a dropout rate that works on hidden states, attention or the head.
DROPOUTS = (
    "hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout", "classifier_dropout_prob",
    "dropout", "attention_dropout", "seq_classif_dropout", "embedding_dropout", "mlp_dropout",
)  # fmt: skip

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


def load_classifier(
    encoder: Path, labels: Sequence[str], *, dropout: float, attention: str, seed: int
) -> PreTrainedModel:
    """Return the encoder of a local folder under a new head for `labels`, in fp32 on the CPU.

    The head's weights depend on `seed` alone; no global random state is left changed.

    Raises:
        EnvironmentFault: The folder holds no model that transformers can open without pickle and remote code.
    """
    with torch.random.fork_rng(), _quiet():
        torch.manual_seed(seed)
        try:
            config = AutoConfig.from_pretrained(encoder, local_files_only=True, trust_remote_code=False)
            for name in DROPOUTS:
                if hasattr(config, name):
                    setattr(config, name, dropout)
            config.id2label = dict(enumerate(labels))
            config.label2id = {label: index for index, label in enumerate(labels)}
            model: PreTrainedModel = AutoModelForSequenceClassification.from_pretrained(
                encoder,
                config=config,
                dtype=torch.float32,
                attn_implementation=attention,
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
            )
        except (OSError, ValueError) as error:
            raise EnvironmentFault(f"{encoder} is not a usable encoder: {error}") from error
    return model


def freeze(model: PreTrainedModel, *, embeddings: bool, layers: int) -> None:
    """Make the embeddings and the lowest `layers` encoder layers keep their weights.

    Raises:
        ValueError: The encoder has fewer layers.
    """
    stack = encoder_layers(model)
    if layers > len(stack):
        raise ValueError(
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


def encoder_layers(model: PreTrainedModel) -> nn.ModuleList:
    """Return the stack of encoder layers, lowest first."""
    depth = model.config.num_hidden_layers
    for module in model.base_model.modules():
        if isinstance(module, nn.ModuleList) and len(module) == depth:
            return module
    raise ValueError(f"{type(model).__name__} has no stack of {depth} layers")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the library about a head that is new by intent, and restore its settings after."""
    logging = transformers.utils.logging
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
