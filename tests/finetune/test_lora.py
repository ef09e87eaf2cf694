import pytest
import torch
from transformers import AutoModelForSequenceClassification

from pipeline.core.errors import UsageError
from pipeline.finetune.classification import CLASSES
from pipeline.finetune.lora import with_adapters
from pipeline.models.inference import compute_logits
from pipeline.models.layers import shorten_last_layer
from pipeline.train.training import Training
from tests.given.training import DEVICE, fit, model, rows, save_classifier, with_params

PARAMS = with_params(lora=4, epochs=1, dropout=0.1, metric="loss", freeze_layers=1, layer_decay=0.9)


def predict(classifier):
    return compute_logits(classifier, rows(20, seed=1).tokens, DEVICE, batch_tokens=64, batch_size=8)


def test_what_is_saved_is_a_stock_model_with_the_adapters_in_its_weights(encoder, tmp_path):
    classifier, before = model(encoder, PARAMS), model(encoder, PARAMS)
    with with_adapters(classifier, 4, seed=0), shorten_last_layer(classifier):
        fit(classifier, rows(40), rows(20, seed=1), PARAMS, DEVICE)
        adapted = predict(classifier)
    assert list(classifier.state_dict()) == list(before.state_dict())
    torch.testing.assert_close(predict(classifier), adapted, rtol=1e-4, atol=1e-5)
    save_classifier(classifier, encoder, tmp_path / "saved", max_length=12)
    opened = AutoModelForSequenceClassification.from_pretrained(tmp_path / "saved", attn_implementation="eager")
    assert torch.equal(predict(opened), predict(classifier))
    moved = {n for n, v in classifier.state_dict().items() if not torch.equal(v, before.state_dict()[n])}
    assert "classifier.weight" in moved
    assert "bert.encoder.layer.1.attention.self.query.weight" in moved
    assert not any(".layer.0." in name or "embeddings" in name or "LayerNorm" in name for name in moved)
    for name in (n for n in moved if ".layer.1." in n):
        change = classifier.state_dict()[name] - before.state_dict()[name]
        assert torch.linalg.matrix_rank(change.double(), rtol=1e-3) <= 4, name


def test_none_changes_nothing(encoder):
    classifier = model(encoder)
    learning = [p.requires_grad for p in classifier.parameters()]
    with with_adapters(classifier, None, seed=0):
        assert [p.requires_grad for p in classifier.parameters()] == learning


@pytest.mark.parametrize("at", [1, 4])
def test_it_is_carried_across_a_kill_and_depends_on_no_global_state(encoder, at):
    whole, again = model(encoder, PARAMS), model(encoder, PARAMS)
    arguments = rows(40), rows(20, seed=1), PARAMS, DEVICE, CLASSES
    with with_adapters(whole, 4, seed=0):
        training = Training(whole, *arguments)
        while not training.finished:
            if training.done == at:
                snapshot = training.state()
            training.advance()
        training.result()
    assert not any(".base_layer." in name for name in snapshot.tensors)  # frozen, so not in it
    torch.rand(3)
    with with_adapters(again, 4, seed=0):
        training = Training(again, *arguments)
        training.restore(snapshot)
        while not training.finished:
            training.advance()
        training.result()
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), again.parameters(), strict=True))


def test_a_model_without_a_layer_that_learns_has_nothing_to_adapt(encoder):
    classifier = model(encoder, with_params(freeze_layers=2))
    fact = r"lora: .*`freeze_layers` freezes all 2 layers"
    with pytest.raises(UsageError, match=fact), with_adapters(classifier, 4, seed=0):
        pass
