"""A training of the classification objective; `train.objective` and `train.update` are tested through it."""

import numpy as np
import pytest
import torch

from pipeline.core.errors import UsageError
from pipeline.finetune.classification import CLASSES
from pipeline.models.device import Device
from pipeline.models.inference import collate, compute_logits, forward
from pipeline.models.layers import scale_layer_rates, shorten_last_layer
from pipeline.train.training import Training
from pipeline.train.update import seed_step
from tests.given.training import DEVICE, PARAMS, fit, model, rows, with_params


def test_it_learns_what_can_be_learned(encoder):
    params = with_params(epochs=8)
    classifier = model(encoder)
    trained = fit(classifier, rows(160), rows(60, seed=1), params, DEVICE)
    assert trained.best.accuracy > 0.9
    assert trained.evaluations[-1].train_loss < trained.evaluations[0].train_loss / 2
    assert trained.stopped == "finished"
    assert len(trained.evaluations) == 16
    assert [scores.step for scores in trained.evaluations] == sorted({scores.step for scores in trained.evaluations})


def test_the_weights_left_are_those_of_the_best_evaluation(encoder):
    classifier, validation = model(encoder), rows(60, seed=1)
    trained = fit(classifier, rows(80), validation, with_params(metric="loss", epochs=6, learning_rate=0.02), DEVICE)
    assert trained.best == min(trained.evaluations, key=lambda scores: scores.loss)
    predicted = compute_logits(classifier, validation.tokens, DEVICE, batch_tokens=64, batch_size=4)
    loss = torch.nn.functional.cross_entropy(predicted, torch.from_numpy(validation.labels))
    assert float(loss) == pytest.approx(trained.best.loss, abs=1e-5)


def test_one_update_is_the_textbook_one(encoder):
    """One batch, one step: the same as AdamW on the mean cross-entropy with the gradient clipped."""
    train, params = rows(8), with_params(epochs=1, evaluations=1, batch_tokens=1000, warmup=0.0, weight_decay=0.1)
    ours, stock = model(encoder), model(encoder)
    fit(ours, train, rows(8, seed=1), params, DEVICE)
    decay = [p for p in stock.parameters() if p.ndim > 1]
    plain = [p for p in stock.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}], lr=params.learning_rate
    )
    order = CLASSES.plan(train, params)[0].rows
    width = int(train.tokens.lengths.max())
    ids = torch.zeros(8, width, dtype=torch.int64)
    mask = torch.zeros(8, width, dtype=torch.int64)
    for place, row in enumerate(order):
        part = train.tokens.values[train.tokens.offsets[row] : train.tokens.offsets[row + 1]]
        ids[place, : len(part)], mask[place, : len(part)] = torch.from_numpy(part.astype(np.int64)), 1
    stock.train()
    stock(input_ids=ids, attention_mask=mask, labels=torch.from_numpy(train.labels[order])).loss.backward()
    torch.nn.utils.clip_grad_norm_(stock.parameters(), 1.0)
    optimizer.step()
    for (name, actual), expected in zip(ours.named_parameters(), stock.parameters(), strict=True):
        torch.testing.assert_close(actual, expected, msg=name)


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_the_same_arguments_give_the_same_bytes(encoder, dropout):
    params = with_params(dropout=dropout, epochs=2)

    def weights(seed: int) -> bytes:
        classifier = model(encoder, params)
        with shorten_last_layer(classifier):
            fit(classifier, rows(40), rows(20, seed=1), params.model_copy(update={"seed": seed}), DEVICE)
        return b"".join(value.numpy().tobytes() for value in classifier.state_dict().values())

    state = torch.get_rng_state()
    first = weights(0)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    assert weights(0) == first
    assert weights(1) != first


def test_frozen_weights_stay(encoder):
    params = with_params(freeze_embeddings=True, freeze_layers=1, epochs=1)
    classifier, before = model(encoder, params), model(encoder, params)
    fit(classifier, rows(40), rows(20, seed=1), params, DEVICE)
    same = {
        n for (n, a), b in zip(classifier.named_parameters(), before.parameters(), strict=True) if torch.equal(a, b)
    }
    assert same == {n for n, p in before.named_parameters() if not p.requires_grad}
    assert any("embeddings" in name for name in same)


def test_it_stops_early_when_nothing_gets_better(encoder):
    trained = fit(
        model(encoder), rows(40), rows(20, seed=1), with_params(learning_rate=1e-12, patience=2, epochs=9), DEVICE
    )
    assert trained.stopped == "early"
    assert len(trained.evaluations) == 3
    assert trained.best == trained.evaluations[0]


def test_a_loss_that_is_not_finite_names_step_and_examples(encoder):
    classifier = model(encoder)
    with torch.no_grad():
        classifier.classifier.weight.fill_(float("nan"))
    with pytest.raises(UsageError, match=r"step 1: .* nan .*'id\d+'.*`learning_rate` \(now 0\.005\)"):
        fit(classifier, rows(40), rows(20, seed=1), PARAMS, DEVICE)


def test_bf16_trains_too(encoder):
    trained = fit(model(encoder), rows(40), rows(20, seed=1), with_params(epochs=1), DEVICE._replace(precision="bf16"))
    assert np.isfinite([trained.best.loss, trained.best.train_loss]).all()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_learns_the_same(encoder):
    device = Device(torch.device("cuda"), "bf16", "a test")
    assert fit(model(encoder), rows(160), rows(60, seed=1), with_params(epochs=8), device).best.accuracy > 0.9


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_a_snapshot_at_any_step_leads_to_the_same_bytes(encoder, dropout):
    params = with_params(dropout=dropout, epochs=2, metric="loss")

    def started() -> Training:
        return Training(model(encoder, params), rows(40), rows(20, seed=1), params, DEVICE, CLASSES)

    whole = started()
    snapshots = []
    while not whole.finished:
        snapshots.append(whole.state())
        whole.advance()
    expected = whole.result()
    weights = {name: value.numpy().tobytes() for name, value in whole.model.state_dict().items()}
    assert len(snapshots) > 8
    for snapshot in snapshots:
        training = started()
        torch.rand(3)  # what a global generator has given out before does not count
        training.restore(snapshot)
        assert training.done == snapshot.step
        while not training.finished:
            training.advance()
        assert training.result() == expected
        assert {name: value.numpy().tobytes() for name, value in training.model.state_dict().items()} == weights


def test_a_snapshot_does_not_move_with_the_training(encoder):
    training = Training(model(encoder), rows(40), rows(20, seed=1), PARAMS, DEVICE, CLASSES)
    training.advance()
    snapshot = training.state()
    before = {name: value.clone() for name, value in snapshot.tensors.items()}
    training.advance()
    assert any(name.startswith("optimizer.exp_avg_sq.") for name in before)
    assert all(torch.equal(snapshot.tensors[name], value) for name, value in before.items())
    assert snapshot.step == 1


def test_each_step_draws_its_own_dropout():
    def drawn(seed: int, step: int) -> list[float]:
        with seed_step(seed, step):
            return torch.rand(3).tolist()

    assert drawn(0, 1) == drawn(0, 1)
    assert len({tuple(drawn(seed, step)) for seed in (0, 1) for step in (1, 2, 3)}) == 6


def test_nothing_to_train_on_is_refused(encoder):
    with pytest.raises(UsageError, match="nothing to train on"):
        Training(model(encoder), rows(0), rows(20), PARAMS, DEVICE, CLASSES)


def test_without_options_every_byte_is_that_of_the_plain_loop(encoder):
    train, params = rows(40), with_params(epochs=1, label_smoothing=0.1, class_weights="balanced")
    ours, plain = model(encoder), model(encoder)
    training = Training(ours, train, rows(20, seed=1), params, DEVICE, CLASSES)
    groups = [[p for p in plain.parameters() if p.ndim > 1], [p for p in plain.parameters() if p.ndim <= 1]]
    optimizer = torch.optim.AdamW(
        [{"params": groups[0], "weight_decay": 0.01}, {"params": groups[1], "weight_decay": 0.0}], fused=True
    )
    while not training.finished:
        step = training.steps[training.done]
        for group in optimizer.param_groups:
            group["lr"] = training._learning_rate(step)
        training.advance()
        plain.train()
        predicted = forward(plain, collate(plain, train.tokens, step.rows, DEVICE), DEVICE)
        labels = torch.from_numpy(train.labels[step.rows])
        torch.nn.functional.cross_entropy(predicted, labels, training.prepared, label_smoothing=0.1).backward()
        torch.nn.utils.clip_grad_norm_(plain.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), plain.parameters(), strict=True))


def test_layers_far_from_the_head_learn_more_slowly(encoder):
    classifier = model(encoder)
    scales = scale_layer_rates(classifier, 0.5)
    assert scales["classifier.weight"] == scales["bert.pooler.dense.weight"] == 1
    assert scales["bert.encoder.layer.1.output.dense.weight"] == 0.5
    assert scales["bert.encoder.layer.0.attention.self.query.bias"] == 0.25
    assert scales["bert.embeddings.word_embeddings.weight"] == 0.125
    assert set(scale_layer_rates(classifier, 1.0).values()) == {1.0}
    params = with_params(layer_decay=0.5)
    training = Training(classifier, rows(40), rows(20, seed=1), params, DEVICE, CLASSES)
    training.advance()
    rates = {p: group["lr"] for group in training.optimizer.param_groups for p in group["params"]}
    top = training._learning_rate(training.steps[0])
    assert {name: rates[p] for name, p in classifier.named_parameters()} == {n: top * s for n, s in scales.items()}


@pytest.mark.parametrize("option", [{"layer_decay": 0.7}, {"accumulate": 3}])
def test_an_option_is_carried_across_a_kill(encoder, option):
    params = with_params(dropout=0.2, epochs=1, metric="loss", **option)
    whole = Training(model(encoder, params), rows(40), rows(20, seed=1), params, DEVICE, CLASSES)
    whole.advance()
    snapshot = whole.state()
    again = Training(model(encoder, params), rows(40), rows(20, seed=1), params, DEVICE, CLASSES)
    again.restore(snapshot)
    for training in (whole, again):
        while not training.finished:
            training.advance()
        training.result()
    assert all(torch.equal(a, b) for a, b in zip(whole.model.parameters(), again.model.parameters(), strict=True))
