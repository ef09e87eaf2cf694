from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForSequenceClassification

from pipeline.batches import Ragged
from pipeline.errors import DataError, EnvironmentFault
from pipeline.files import read_json, write_json
from pipeline.inference import probabilities

LABELS = ("ham", "spam", "eggs")


def tokens(rows: Sequence[Sequence[int]]) -> Ragged:
    offsets = np.cumsum([0, *map(len, rows)])
    return Ragged(np.array([one for row in rows for one in row], dtype=np.int32), offsets)


ROWS = [np.random.default_rng(length).integers(1, 50, size=1 + length % 23).tolist() for length in range(300)]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A small BERT classifier with random weights, dropout and a padding id other than 0."""
    config = BertConfig(
        vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=24, pad_token_id=7, initializer_range=0.5, id2label=dict(enumerate(LABELS)),
        label2id={label: index for index, label in enumerate(LABELS)},
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertForSequenceClassification(config).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_agrees_with_one_row_at_a_time_in_order(model: Path) -> None:
    found = probabilities(model, tokens(ROWS), labels=LABELS)
    network = BertForSequenceClassification.from_pretrained(model).eval()
    with torch.inference_mode():
        wanted = [torch.softmax(network(input_ids=torch.tensor([row])).logits[0].double(), 0).numpy() for row in ROWS]
    assert found.shape == (300, 3)
    assert found.dtype == np.float64
    assert found == pytest.approx(np.array(wanted), abs=1e-5)
    assert found.std(axis=0).min() > 0.05  # rows differ, so a wrong order would show
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-12)


def test_the_same_rows_give_the_same_bytes(model: Path) -> None:
    first, second = (probabilities(model, tokens(ROWS), labels=LABELS).tobytes() for _ in range(2))
    assert first == second


def test_no_rows_give_no_probabilities(model: Path) -> None:
    assert probabilities(model, tokens([]), labels=LABELS).shape == (0, 3)


@pytest.mark.parametrize("labels", [("ham", "spam"), ("spam", "ham", "eggs"), (*LABELS, "toast")])
def test_other_classes_are_refused(model: Path, labels: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match=r"has the classes 'ham', 'spam', 'eggs'; the tokens have"):
        probabilities(model, tokens(ROWS), labels=labels)


@pytest.mark.parametrize("strange", [50, -1, 2**31 - 1])
def test_unknown_token_ids_are_refused(model: Path, strange: int) -> None:
    with pytest.raises(DataError, match=rf"1 token ids \({strange}\) are unknown to the model, which knows 0 to 49"):
        probabilities(model, tokens([[1, 2], [3, strange]]), labels=LABELS)


@pytest.mark.parametrize("length", [0, 25])
def test_rows_the_model_has_no_place_for_are_refused(model: Path, length: int) -> None:
    with pytest.raises(DataError, match=rf"1 rows \(from 0: 1\) have {length} tokens; the model takes 1 to 24"):
        probabilities(model, tokens([[1, 2], [3] * length]), labels=LABELS)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match=r"no config\.json.*dvc repro"):
        probabilities(tmp_path / "absent", tokens(ROWS), labels=LABELS)


def test_pickled_weights_are_refused(model: Path) -> None:
    torch.save(load_file(model / "model.safetensors"), model / "pytorch_model.bin")
    (model / "model.safetensors").unlink()
    with pytest.raises(EnvironmentFault, match="no other kind of weights"):
        probabilities(model, tokens(ROWS), labels=LABELS)


def test_truncated_weights_are_refused(model: Path) -> None:
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(EnvironmentFault, match="could not be loaded"):
        probabilities(model, tokens(ROWS), labels=LABELS)


def test_a_damaged_configuration_is_refused(model: Path) -> None:
    (model / "config.json").write_text("{")
    with pytest.raises(EnvironmentFault, match="could not be loaded"):
        probabilities(model, tokens(ROWS), labels=LABELS)


def test_code_beside_the_weights_is_not_run(model: Path) -> None:
    trap = model.parent / "trapped"
    (model / "trap.py").write_text(f"open({str(trap)!r}, 'w')\nclass Trap: ...\n")
    config = read_json(model / "config.json") | {"auto_map": {"AutoModelForSequenceClassification": "trap.Trap"}}
    write_json(model / "config.json", config)
    probabilities(model, tokens(ROWS[:2]), labels=LABELS)
    assert not trap.exists()


def test_lacking_weights_are_not_made_up(model: Path) -> None:
    weights = load_file(model / "model.safetensors")
    del weights["classifier.weight"]
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EnvironmentFault, match=r"lacks 1 of its weights \('classifier\.weight'\)"):
        probabilities(model, tokens(ROWS), labels=LABELS)
