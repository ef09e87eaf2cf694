"""Models as folders: an encoder, bare or under a new head, and a fine-tuned model; no pickle, no code of their own."""

import contextlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.utils import logging

from pipeline.core.errors import REPRODUCE, DataError, EnvironmentFault, listed
from pipeline.core.files import publish
from pipeline.models.device import seeded
from pipeline.models.heads import Head, classifier_head, describe_difference
from pipeline.models.tokenizer import TOKENIZER_FILES

# Every name under which a family keeps a dropout rate that works on hidden states, attention or the head.
DROPOUTS = (
    "hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout", "classifier_dropout_prob",
    "dropout", "attention_dropout", "seq_classif_dropout", "embedding_dropout", "mlp_dropout",
)  # fmt: skip


# ------------------------------------------------------------------------------------------------ open
def build_model(encoder: Path, head: Head, *, dropout: float, seed: int) -> PreTrainedModel:
    """Return the encoder of a local folder under a new head, in fp32 on the CPU, with eager attention.

    The head's weights depend on `seed` alone; no global random state is left changed.

    Raises:
        EnvironmentFault: The folder holds no encoder that is whole and in safetensors.
    """
    require_files(encoder)
    config = _configure(encoder, head, dropout)
    with seeded(seed):
        return load_whole(encoder, config, kind=head.model)


def build_random_model(encoder: Path, head: Head, *, dropout: float, seed: int) -> PreTrainedModel:
    """Return a model of the encoder's shape with random weights under a head, in fp32 on the CPU, with eager attention.

    The weights depend on `seed` alone; no global random state is left changed.

    Raises:
        EnvironmentFault: The folder has no configuration of a model.
    """
    config = _configure(encoder, head, dropout)
    with seeded(seed), _library_errors_as_faults(encoder):
        model: PreTrainedModel = head.model.from_config(
            config, dtype=torch.float32, attn_implementation="eager", trust_remote_code=False
        )
    return model


def load_model(folder: Path, head: Head) -> PreTrainedModel:
    """Return the fine-tuned model of a folder, in fp32 on the CPU, with eager attention.

    Raises:
        EnvironmentFault: A file is missing or damaged, or does not hold all of the weights.
        DataError: The model has another head, say other classes.
    """
    require_files(folder)
    model, missing = _load(folder, None, kind=head.model)
    _require_whole(folder, missing)
    if difference := describe_difference(head, model.config):
        raise DataError(f"{folder}: {difference}. {REPRODUCE}")
    return model


def build_classifier(encoder: Path, labels: Sequence[str], *, dropout: float, seed: int) -> PreTrainedModel:
    """Return `build_model` under the head of a text classifier."""
    return build_model(encoder, classifier_head(labels), dropout=dropout, seed=seed)


def load_classifier(folder: Path, labels: Sequence[str]) -> PreTrainedModel:
    """Return `load_model` with the head of a text classifier."""
    return load_model(folder, classifier_head(labels))


def load_encoder(folder: Path) -> PreTrainedModel:
    """Return the encoder of a local folder without any head, in fp32 on the CPU, with eager attention.

    Its pooler may be missing, since nothing here reads one.

    Raises:
        EnvironmentFault: The folder holds no encoder that is whole and in safetensors.
    """
    require_files(folder)
    with seeded(0):  # a pooler that is missing is drawn
        return load_whole(folder, None, kind=AutoModel)


def load_whole(folder: Path, config: PretrainedConfig | None, *, kind: Any) -> PreTrainedModel:
    """Return the model of a folder, in fp32 on the CPU, with eager attention; its encoder's weights are the folder's.

    Only new parts get random weights: the heads, and the pooler that some encoders are published without.

    Raises:
        EnvironmentFault: The folder holds no encoder that is whole and in safetensors.
    """
    model, missing = _load(folder, config, kind=kind)
    # Without a head the names have no prefix, and all are the encoder's.
    prefix = "" if model.base_model is model else f"{model.base_model_prefix}."
    _require_whole(folder, [name for name in missing if name.startswith(prefix) and ".pooler." not in f".{name}"])
    return model


def load_config(folder: Path) -> PretrainedConfig:
    """Return the configuration of the model in a folder.

    Raises:
        EnvironmentFault: The folder has none.
    """
    with _library_errors_as_faults(folder):
        config: PretrainedConfig = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    return config


def set_dropout(config: PretrainedConfig, dropout: float) -> None:
    """Set every dropout rate that the configuration has."""
    for name in DROPOUTS:
        if hasattr(config, name):
            setattr(config, name, dropout)


def require_files(folder: Path) -> None:
    """Refuse a folder without a configuration or without safetensors weights.

    Raises:
        EnvironmentFault: One of them is missing.
    """
    if not (folder / "config.json").is_file():
        raise EnvironmentFault(f"{folder}: not a model, no config.json. {REPRODUCE}")
    if not any(folder.glob("*.safetensors")):
        raise EnvironmentFault(f"{folder}: no weights of the only kind that is loaded, no *.safetensors. {REPRODUCE}")


def _configure(encoder: Path, head: Head, dropout: float) -> PretrainedConfig:
    """Return the encoder's configuration with what the head says, and with this dropout."""
    config = load_config(encoder)
    set_dropout(config, dropout)
    for key, value in head.config.items():
        setattr(config, key, value)
    return config


def _load(folder: Path, config: PretrainedConfig | None, *, kind: Any) -> tuple[PreTrainedModel, list[str]]:
    """Return the model and the names of the weights missing in the folder, which the library fills at random.

    On a CPU and for short texts eager attention is faster than the fused kernel, and every family has it.
    """
    with _library_errors_as_faults(folder):
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


def _require_whole(folder: Path, missing: Sequence[str]) -> None:
    """Refuse a folder with missing weights, which would be random numbers."""
    if missing:
        raise EnvironmentFault(f"{folder}: {len(missing)} weights missing, {listed(missing)}. {REPRODUCE}")


# ------------------------------------------------------------------------------------------------ save
def save_model(model: PreTrainedModel, save_inputs: Callable[[Path], None], out: Path) -> None:
    """Publish weights (safetensors), configuration, and the files of its inputs, say a tokenizer, as one folder.

    `from_pretrained` opens it without any code of ours.
    """
    with publish(out) as partial:
        _save_weights(model, partial)
        save_inputs(partial)


def save_encoder(model: PreTrainedModel, tokenizer: Path, card: str, out: Path) -> None:
    """Publish weights (safetensors), configuration, the tokenizer's files and the card as one folder.

    `from_pretrained` opens it without any code of ours.
    """
    with publish(out) as partial:
        _save_weights(model, partial)
        for name in TOKENIZER_FILES:
            if (tokenizer / name).is_file():
                shutil.copyfile(tokenizer / name, partial / name)
        (partial / "README.md").write_text(card, encoding="utf-8")


def _save_weights(model: PreTrainedModel, folder: Path) -> None:
    try:
        with silence_library():
            model.save_pretrained(folder)
    except SafetensorError as error:  # the library's error for a full disk
        raise OSError(str(error)) from error


# ------------------------------------------------------------------------------------------------ the library
@contextlib.contextmanager
def _library_errors_as_faults(folder: Path) -> Iterator[None]:
    """Turn the library's errors about a folder into one kind; hide its warning of a new head, which is expected."""
    try:
        with silence_library():
            yield
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise EnvironmentFault(f"{folder}: not a usable model, {error}. {REPRODUCE}") from error


@contextlib.contextmanager
def silence_library() -> Iterator[None]:
    """Silence the library inside the block, except for errors, and restore its settings afterwards."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
