"""The families of encoders that can be pretrained: their classes, sizes and heads."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
import transformers
from transformers import PreTrainedModel

from pipeline.core.errors import DataError, UsageError
from pipeline.models.device import seeded
from pipeline.models.folder import load_config, load_whole, require_files, set_dropout
from pipeline.models.layers import count_positions
from pipeline.pretrain.vocabulary import Vocabulary
from pipeline.settings.pretrain import PretrainParams


class Family(NamedTuple):
    """A family of encoders.

    `word_logits` (M, V) are functions of hidden states (M, H); `pair_logits` (B, 2) of the hidden states of first
    tokens (B, H), None if the family has no head for pairs. `sizes` are arguments of the configuration, whose names
    differ between families.
    """

    config: type[Any]
    model: type[Any]
    word_logits: Callable[[Any, torch.Tensor], torch.Tensor]
    pair_logits: Callable[[Any, torch.Tensor], torch.Tensor] | None
    sizes: Callable[[PretrainParams], dict[str, Any]]


def _usual_sizes(params: PretrainParams) -> dict[str, Any]:
    return {
        "hidden_size": params.hidden_size,
        "num_hidden_layers": params.layers,
        "num_attention_heads": params.heads,
        "intermediate_size": params.intermediate_size,
        "max_position_embeddings": params.max_length,
    }


def _distilbert_sizes(params: PretrainParams) -> dict[str, Any]:
    return {
        "dim": params.hidden_size,
        "n_layers": params.layers,
        "n_heads": params.heads,
        "hidden_dim": params.intermediate_size,
        "max_position_embeddings": params.max_length,
    }


def _distilbert_words(model: Any, hidden: torch.Tensor) -> torch.Tensor:
    states = model.vocab_layer_norm(model.activation(model.vocab_transform(hidden)))
    logits: torch.Tensor = model.vocab_projector(states)
    return logits


FAMILIES: dict[str, Family] = {
    "bert": Family(
        transformers.BertConfig,
        transformers.BertForPreTraining,
        word_logits=lambda model, hidden: model.cls.predictions(hidden),
        pair_logits=lambda model, first: model.cls.seq_relationship(model.bert.pooler(first[:, None])),
        sizes=_usual_sizes,
    ),
    "albert": Family(
        transformers.AlbertConfig,
        transformers.AlbertForPreTraining,
        word_logits=lambda model, hidden: model.predictions(hidden),
        pair_logits=lambda model, first: model.sop_classifier(
            model.albert.pooler_activation(model.albert.pooler(first))
        ),
        sizes=lambda params: {**_usual_sizes(params), "embedding_size": params.embedding_size},
    ),
    "roberta": Family(
        transformers.RobertaConfig,
        transformers.RobertaForMaskedLM,
        word_logits=lambda model, hidden: model.lm_head(hidden),
        pair_logits=None,
        # Its positions count from the padding index + 1.
        sizes=lambda params: {
            **_usual_sizes(params),
            "max_position_embeddings": params.max_length + 2,
            "type_vocab_size": 1,
        },
    ),
    "distilbert": Family(
        transformers.DistilBertConfig,
        transformers.DistilBertForMaskedLM,
        word_logits=_distilbert_words,
        pair_logits=None,
        sizes=_distilbert_sizes,
    ),
    "modernbert": Family(
        transformers.ModernBertConfig,
        transformers.ModernBertForMaskedLM,
        word_logits=lambda model, hidden: model.decoder(model.head(hidden)),
        pair_logits=None,
        sizes=_usual_sizes,
    ),
}


def open_encoder(params: PretrainParams, base: Path, vocabulary: Vocabulary) -> PreTrainedModel:
    """Return the encoder that a pretraining starts with, in fp32 on the CPU, with eager attention.

    Raises:
        UsageError: The encoder of `base` is of another family, or takes fewer tokens than `max_length`.
        DataError: The tokenizer has more tokens than the encoder.
        EnvironmentFault: `base` holds no encoder that is whole and in safetensors.
    """
    model = build_encoder(params, vocabulary) if params.start == "scratch" else continue_encoder(base, params)
    embeddings: Any = model.get_input_embeddings()
    size, positions = len(vocabulary.begins), count_positions(model)
    if size > embeddings.num_embeddings:
        raise DataError(
            f"encoders.{params.encoder}: the tokenizer does not fit the encoder: it has {size} tokens, the encoder "
            f"{embeddings.num_embeddings}. Set `start: scratch`, or choose another `base`."
        )
    if positions is not None and params.max_length > positions:
        raise UsageError(
            f"encoders.{params.encoder}: `max_length` is too large: the encoder takes {positions} tokens, found "
            f"{params.max_length}. Set {positions} or less."
        )
    return model


def build_encoder(params: PretrainParams, vocabulary: Vocabulary) -> PreTrainedModel:
    """Return an encoder of random weights with its pretraining heads, in fp32 on the CPU, with eager attention.

    The weights depend on `seed` alone.
    """
    family = FAMILIES[params.family]
    config = family.config(**{"vocab_size": len(vocabulary.begins), **family.sizes(params)})
    special = {"pad": vocabulary.pad, "bos": vocabulary.first, "eos": vocabulary.last}
    for name, index in {**special, "cls": vocabulary.first, "sep": vocabulary.last}.items():
        if hasattr(config, f"{name}_token_id"):
            setattr(config, f"{name}_token_id", index)
    set_dropout(config, params.dropout)
    with seeded(params.seed):
        model: PreTrainedModel = family.model._from_config(config, attn_implementation="eager", dtype=torch.float32)
    return model


def continue_encoder(base: Path, params: PretrainParams) -> PreTrainedModel:
    """Return the encoder of a folder with its pretraining heads; those that the folder lacks are random.

    Raises:
        UsageError: The encoder is of another family.
        EnvironmentFault: The folder holds no encoder that is whole and in safetensors.
    """
    require_files(base)
    config = load_config(base)
    if config.model_type != params.family:
        raise UsageError(
            f"encoders.{params.encoder}: `family` is not that of {base}: it is {config.model_type!r}, found "
            f"{params.family!r}. Set `family: {config.model_type}`."
        )
    set_dropout(config, params.dropout)
    with seeded(params.seed):
        return load_whole(base, config, kind=FAMILIES[params.family].model)


def require_pair_head(params: PretrainParams) -> None:
    """Refuse NSP and SOP for a family without a head for pairs.

    Raises:
        UsageError: The family has none.
    """
    if params.pair != "none" and FAMILIES[params.family].pair_logits is None:
        able = ", ".join(name for name, family in FAMILIES.items() if family.pair_logits is not None)
        raise UsageError(
            f"encoders.{params.encoder}: `pair: {params.pair}` needs a head that {params.family} does not have. Set "
            f"`family` to one of {able}, or `pair: none`."
        )
