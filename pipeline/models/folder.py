"""Models out of folders: an encoder, also under a new head, or a fine-tuned one; no pickle, no code of their own."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, PretrainedConfig, PreTrainedModel
from transformers.utils import logging

from pipeline.core.errors import DataError, EnvironmentFault, listed

# Every name under which a family keeps a dropout rate that works on hidden states, attention or the head.
DROPOUTS = (
    "hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout", "classifier_dropout_prob",
    "dropout", "attention_dropout", "seq_classif_dropout", "embedding_dropout", "mlp_dropout",
)  # fmt: skip
AGAIN = "Run `dvc repro`, which makes it again."


def new_classifier(encoder: Path, labels: Sequence[str], *, dropout: float, seed: int) -> PreTrainedModel:
    """Return the encoder of a local folder under a new head for `labels`, in fp32 on the CPU, with eager attention.

    The head's weights depend on `seed` alone; no global random state is left changed.

    Raises:
        EnvironmentFault: The folder holds no encoder that is whole and in safetensors.
    """
    require_files(encoder)
    config = _configured(encoder, labels, dropout)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return opened_whole(encoder, config, kind=AutoModelForSequenceClassification)


def random_classifier(encoder: Path, labels: Sequence[str], *, dropout: float, seed: int) -> PreTrainedModel:
    """Return a classifier of the encoder's shape with random weights, in fp32 on the CPU, with eager attention.

    The weights depend on `seed` alone; no global random state is left changed.

    Raises:
        EnvironmentFault: The folder has no configuration of a model.
    """
    config = _configured(encoder, labels, dropout)
    with torch.random.fork_rng(), refused(encoder):
        torch.manual_seed(seed)
        model: PreTrainedModel = AutoModelForSequenceClassification.from_config(
            config, dtype=torch.float32, attn_implementation="eager", trust_remote_code=False
        )
    return model


def load_classifier(folder: Path, labels: Sequence[str]) -> PreTrainedModel:
    """Return the fine-tuned model of a folder, in fp32 on the CPU, with eager attention.

    Raises:
        EnvironmentFault: A file is missing or damaged, or does not hold all of the weights.
        DataError: The model's classes are not `labels`, in this order.
    """
    require_files(folder)
    model, missing = _opened(folder, None, kind=AutoModelForSequenceClassification)
    _require_whole(folder, missing)
    names = [name for _, name in sorted((model.config.id2label or {}).items())]
    if names != list(labels):
        raise DataError(f"{folder} has the classes {listed(names)}; the tokens have {listed(labels)}. {AGAIN}")
    return model


def _configured(encoder: Path, labels: Sequence[str], dropout: float) -> PretrainedConfig:
    """Return the encoder's configuration with these classes and this dropout."""
    config = configuration(encoder)
    set_dropout(config, dropout)
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: index for index, label in enumerate(labels)}
    return config


def load_encoder(folder: Path) -> PreTrainedModel:
    """Return the encoder of a local folder without any head, in fp32 on the CPU, with eager attention.

    A pooler it may be published without, since nothing here reads one.

    Raises:
        EnvironmentFault: The folder holds no encoder that is whole and in safetensors.
    """
    require_files(folder)
    with torch.random.fork_rng():
        return opened_whole(folder, None, kind=AutoModel)


def configuration(folder: Path) -> PretrainedConfig:
    """Return the configuration of the model in a folder.

    Raises:
        EnvironmentFault: The folder has none.
    """
    with refused(folder):
        found: PretrainedConfig = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    return found


def set_dropout(config: PretrainedConfig, dropout: float) -> None:
    """Set every dropout rate that the configuration has."""
    for name in DROPOUTS:
        if hasattr(config, name):
            setattr(config, name, dropout)


def opened_whole(folder: Path, config: PretrainedConfig | None, *, kind: Any) -> PreTrainedModel:
    """Return the model of a folder, in fp32 on the CPU, with eager attention, its encoder as the folder has it.

    Only what is new may be made up: the heads, and the pooler that some encoders are published without.

    Raises:
        EnvironmentFault: The folder holds no encoder that is whole and in safetensors.
    """
    model, missing = _opened(folder, config, kind=kind)
    # Without a head the names have no prefix, and all are the encoder's.
    inside = "" if model.base_model is model else f"{model.base_model_prefix}."
    _require_whole(folder, [name for name in missing if name.startswith(inside) and ".pooler." not in f".{name}"])
    return model


def _opened(folder: Path, config: PretrainedConfig | None, *, kind: Any) -> tuple[PreTrainedModel, list[str]]:
    """Return the model and the names of the weights that the folder lacks, which the library fills at random.

    On a CPU and for short texts eager attention is faster than the fused kernel, and every family has it.
    """
    with refused(folder):
        loaded: tuple[PreTrainedModel, dict[str, Any]] = kind.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            attn_implementation="eager",
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    model, loading = loaded
    return model, sorted(loading["missing_keys"])


def require_files(folder: Path) -> None:
    """Refuse a folder without a configuration or without safetensors weights."""
    if not (folder / "config.json").is_file():
        raise EnvironmentFault(f"{folder} has no config.json, so it is no model. {AGAIN}")
    if not any(folder.glob("*.safetensors")):
        raise EnvironmentFault(f"{folder} has no *.safetensors file; no other kind of weights is loaded. {AGAIN}")


def _require_whole(folder: Path, lacking: Sequence[str]) -> None:
    """Refuse weights that would have been random numbers."""
    if lacking:
        raise EnvironmentFault(f"{folder} lacks {len(lacking)} of its weights ({listed(lacking)}). {AGAIN}")


@contextlib.contextmanager
def refused(folder: Path) -> Iterator[None]:
    """Turn what the library raises about a folder into one error; its warning of a head that is new is no news."""
    try:
        with quiet():
            yield
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise EnvironmentFault(f"{folder} is not a usable model: {error}. {AGAIN}") from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence the library inside the block, errors excepted, and restore its settings after."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
