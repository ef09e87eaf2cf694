import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, BertConfig, BertForSequenceClassification, BertModel
from transformers.utils import logging

from pipeline.core.errors import DataError, EnvironmentFault
from pipeline.core.files import read_json, write_json
from pipeline.models.folder import build_classifier, load_classifier, silence_library

LABELS = ("ham", "spam", "eggs")


@pytest.fixture
def folder(tmp_path):
    """A small fine-tuned BERT classifier with random weights."""
    config = BertConfig(
        vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=24, id2label=dict(enumerate(LABELS)),
        label2id={label: index for index, label in enumerate(LABELS)},
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertForSequenceClassification(config).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_the_classifier_is_the_stock_model_with_the_encoders_weights(encoder):
    model = build_classifier(encoder, ["no", "yes"], dropout=0.0, seed=0)
    stock = BertModel.from_pretrained(encoder)
    for name, value in stock.state_dict().items():
        torch.testing.assert_close(model.base_model.state_dict()[name], value)
    assert type(model) is AutoModelForSequenceClassification._model_mapping[BertConfig]
    assert model.config.id2label == {0: "no", 1: "yes"}
    assert model.config.label2id == {"no": 0, "yes": 1}


def test_the_head_depends_on_the_seed_alone(encoder):
    def head(seed: int) -> torch.Tensor:
        return build_classifier(encoder, ["a", "b"], dropout=0.1, seed=seed).classifier.weight

    state = torch.get_rng_state()
    first = head(1)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(1)
    assert torch.equal(first, head(1))
    assert not torch.equal(first, head(2))


def test_dropout_reaches_every_place_of_the_model(encoder):
    model = build_classifier(encoder, ["a", "b"], dropout=0.25, seed=0)
    rates = {module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)}
    assert rates == {0.25}


def test_a_folder_without_an_encoder_is_a_clear_error(tmp_path):
    with pytest.raises(EnvironmentFault, match=r"no config\.json"):
        build_classifier(tmp_path, ["a"], dropout=0.0, seed=0)


def test_a_pickled_encoder_is_refused(encoder, tmp_path):
    (tmp_path / "config.json").write_bytes((encoder / "config.json").read_bytes())
    torch.save(BertModel.from_pretrained(encoder).state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(EnvironmentFault, match=r"no \*\.safetensors"):
        build_classifier(tmp_path, ["a", "b"], dropout=0.0, seed=0)


def test_an_encoder_that_lacks_a_layer_is_refused(encoder, tmp_path):
    for path in encoder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    with pytest.raises(EnvironmentFault, match=r": 16 weights missing, 'bert.encoder.layer.2"):
        build_classifier(tmp_path, ["a", "b"], dropout=0.0, seed=0)
    (tmp_path / "model.safetensors").write_bytes((encoder / "model.safetensors").read_bytes()[:1000])
    with pytest.raises(EnvironmentFault, match="not a usable model"):
        build_classifier(tmp_path, ["a", "b"], dropout=0.0, seed=0)


def test_a_saved_model_comes_back_as_it_was(folder):
    stock = BertForSequenceClassification.from_pretrained(folder)
    model = load_classifier(folder, LABELS)
    assert type(model) is type(stock)
    assert model.dtype is torch.float32
    for name, value in stock.state_dict().items():
        assert torch.equal(model.state_dict()[name], value)


@pytest.mark.parametrize("labels", [("ham", "spam"), ("spam", "ham", "eggs"), (*LABELS, "toast")])
def test_other_classes_are_refused(folder, labels):
    with pytest.raises(DataError, match=rf"'ham', 'spam', 'eggs'.*{labels[-1]!r}"):
        load_classifier(folder, labels)


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(EnvironmentFault, match=r"no config\.json.*dvc repro"):
        load_classifier(tmp_path / "absent", LABELS)


def test_a_pickled_model_is_refused(folder):
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(EnvironmentFault, match=r"no \*\.safetensors"):
        load_classifier(folder, LABELS)


def test_truncated_weights_are_refused(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(EnvironmentFault, match="not a usable model"):
        load_classifier(folder, LABELS)


def test_a_damaged_configuration_is_refused(folder):
    (folder / "config.json").write_text("{")
    with pytest.raises(EnvironmentFault, match="not a usable model"):
        load_classifier(folder, LABELS)


def test_code_beside_the_weights_is_not_run(folder):
    trap = folder.parent / "trapped"
    (folder / "trap.py").write_text(f"open({str(trap)!r}, 'w')\nclass Trap: ...\n")
    config = read_json(folder / "config.json") | {"auto_map": {"AutoModelForSequenceClassification": "trap.Trap"}}
    write_json(folder / "config.json", config)
    load_classifier(folder, LABELS)
    assert not trap.exists()


def test_lacking_weights_are_not_made_up(folder):
    weights = load_file(folder / "model.safetensors")
    del weights["classifier.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EnvironmentFault, match=r": 1 weights missing, 'classifier\.weight'\."):
        load_classifier(folder, LABELS)


@pytest.mark.parametrize("bars", [True, False])
def test_the_library_is_silent_inside_and_as_before_after(bars):
    verbosity, before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    (logging.enable_progress_bar if bars else logging.disable_progress_bar)()
    try:
        with silence_library():
            assert logging.get_verbosity() == logging.ERROR
            assert not logging.is_progress_bar_enabled()
        assert logging.get_verbosity() == verbosity
        assert logging.is_progress_bar_enabled() == bars
    finally:
        (logging.enable_progress_bar if before else logging.disable_progress_bar)()
