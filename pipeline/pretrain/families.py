"""The families of encoders that can be pretrained: their classes, their sizes, and where their heads are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
import transformers
from transformers import PreTrainedModel

from pipeline.core.errors import UsageError
from pipeline.models.folder import configuration, opened_whole, require_files, set_dropout
from pipeline.settings.pretrain import PretrainParams


class Family(NamedTuple):
    """`words` are logits (M, V) of hidden states (M, H), `pair` (B, 2) of those of first tokens, where there is one.

    `sizes` are the arguments of the configuration that differ in name between families.
    """

    config: type[Any]
    model: type[Any]
    words: Callable[[Any, torch.Tensor], torch.Tensor]
    pair: Callable[[Any, torch.Tensor], torch.Tensor] | None
    sizes: Callable[[PretrainParams], dict[str, Any]]


def _usual(params: PretrainParams) -> dict[str, Any]:
    return {
        "hidden_size": params.hidden_size,
        "num_hidden_layers": params.layers,
        "num_attention_heads": params.heads,
        "intermediate_size": params.intermediate_size,
        "max_position_embeddings": params.max_length,
    }


def _distilbert(params: PretrainParams) -> dict[str, Any]:
    return {
        "dim": params.hidden_size,
        "n_layers": params.layers,
        "n_heads": params.heads,
        "hidden_dim": params.intermediate_size,
        "max_position_embeddings": params.max_length,
    }


def _distilbert_words(model: Any, hidden: torch.Tensor) -> torch.Tensor:
    found: torch.Tensor = model.vocab_projector(model.vocab_layer_norm(model.activation(model.vocab_transform(hidden))))
    return found


FAMILIES: dict[str, Family] = {
    "bert": Family(
        transformers.BertConfig,
        transformers.BertForPreTraining,
        words=lambda model, hidden: model.cls.predictions(hidden),
        pair=lambda model, first: model.cls.seq_relationship(model.bert.pooler(first[:, None])),
        sizes=_usual,
    ),
    "albert": Family(
        transformers.AlbertConfig,
        transformers.AlbertForPreTraining,
        words=lambda model, hidden: model.predictions(hidden),
        pair=lambda model, first: model.sop_classifier(model.albert.pooler_activation(model.albert.pooler(first))),
        sizes=lambda params: {**_usual(params), "embedding_size": params.embedding_size},
    ),
    "roberta": Family(
        transformers.RobertaConfig,
        transformers.RobertaForMaskedLM,
        words=lambda model, hidden: model.lm_head(hidden),
        pair=None,
        # It counts positions from the padding index + 1 on.
        sizes=lambda params: {**_usual(params), "max_position_embeddings": params.max_length + 2, "type_vocab_size": 1},
    ),
    "distilbert": Family(
        transformers.DistilBertConfig,
        transformers.DistilBertForMaskedLM,
        words=_distilbert_words,
        pair=None,
        sizes=_distilbert,
    ),
    "electra": Family(
        transformers.ElectraConfig,
        transformers.ElectraForPreTraining,
        words=lambda model, hidden: model.generator.generator_lm_head(model.generator.generator_predictions(hidden)),
        pair=None,
        sizes=lambda params: {**_usual(params), "embedding_size": params.embedding_size},
    ),
    "modernbert": Family(
        transformers.ModernBertConfig,
        transformers.ModernBertForMaskedLM,
        words=lambda model, hidden: model.decoder(model.head(hidden)),
        pair=None,
        sizes=_usual,
    ),
}


def new_encoder(params: PretrainParams, special: dict[str, int], *, vocabulary: int) -> PreTrainedModel:
    """Return an encoder of random weights with its pretraining heads, in fp32 on the CPU, with eager attention.

    The weights depend on `seed` alone; `special` are the ids of the special tokens, as the configuration names them.
    """
    family = FAMILIES[params.family]
    config = family.config(**{"vocab_size": vocabulary, **family.sizes(params)})
    for name, value in special.items():
        if hasattr(config, name):
            setattr(config, name, value)
    set_dropout(config, params.dropout)
    with torch.random.fork_rng():
        torch.manual_seed(params.seed)
        model: PreTrainedModel = family.model._from_config(config, attn_implementation="eager", dtype=torch.float32)
        return _with_generator(model, params)


def continued_encoder(base: Path, params: PretrainParams) -> PreTrainedModel:
    """Return the encoder of a folder with its pretraining heads, which are new where the folder has none.

    Raises:
        UsageError: The folder's encoder is of another family.
        EnvironmentFault: The folder holds no encoder that is whole and in safetensors.
    """
    require_files(base)
    config = configuration(base)
    if config.model_type != params.family:
        raise UsageError(
            f"`encoders.{params.encoder}.family` is {params.family}, and {base} holds one of {config.model_type!r}; "
            "set the family to that."
        )
    set_dropout(config, params.dropout)
    with torch.random.fork_rng():
        torch.manual_seed(params.seed)
        return _with_generator(opened_whole(base, config, kind=FAMILIES[params.family].model), params)


def require_pair(params: PretrainParams) -> None:
    """Refuse NSP and SOP for a family that has no head for pairs.

    Raises:
        UsageError: The family has none.
    """
    if params.pair != "none" and FAMILIES[params.family].pair is None:
        able = ", ".join(name for name, family in FAMILIES.items() if family.pair is not None)
        raise UsageError(f"{params.family} has no head for `pair: {params.pair}`; take {able}, or `pair: none`.")


def _with_generator(model: Any, params: PretrainParams) -> PreTrainedModel:
    """Give ELECTRA its generator, a smaller model over the same embeddings; other families need none.

    Source: Clark et al. 2020, ELECTRA, section 3.2.
    """
    if params.family == "electra":
        smaller = model.config.__class__.from_dict(model.config.to_dict())
        smaller.hidden_size = max(smaller.num_attention_heads, model.config.hidden_size // params.generator)
        smaller.hidden_size -= smaller.hidden_size % smaller.num_attention_heads
        smaller.intermediate_size = max(1, model.config.intermediate_size // params.generator)
        generator: Any = transformers.ElectraForMaskedLM._from_config(
            smaller, attn_implementation="eager", dtype=torch.float32
        )
        generator.electra.embeddings = model.electra.embeddings
        generator.generator_lm_head.weight = model.electra.embeddings.word_embeddings.weight
        model.generator = generator
    whole: PreTrainedModel = model
    return whole


def without_generator(model: Any) -> PreTrainedModel:
    """Return what is kept of a pretraining: ELECTRA without its generator, any other family as it is."""
    if hasattr(model, "generator"):
        del model.generator
    whole: PreTrainedModel = model
    return whole
