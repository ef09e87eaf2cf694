"""A training with the objective: it learns, resumes, evaluates, and refuses what is not finite."""

import numpy as np
import pytest
import torch

from pipeline.core.errors import UsageError
from pipeline.pretrain.batches import (
    chance_metrics,
    plan_updates,
)
from pipeline.pretrain.objective import TEXT
from pipeline.train.choice import choose_for_training
from pipeline.train.objective import Moment
from pipeline.train.training import Trained, Training
from tests.given.pretraining import DEVICE, FAMILIES, corpus, encoder, with_params


def fit(params, train, held) -> tuple[Trained, torch.nn.Module]:
    model = encoder(params)
    training = Training(model, train, held, params, DEVICE, TEXT)
    while not training.finished:
        training.advance()
    return training.result(), model


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_learns_and_its_perplexity_falls(family):
    params = with_params(family=family, steps=40, evaluations=4, hidden_size=32)
    trained, _ = fit(params, corpus(60, ordered=True), corpus(20, seed=1, ordered=True))
    first, last = trained.evaluations[0], trained.evaluations[-1]
    assert last.perplexity < first.perplexity
    assert last.perplexity == pytest.approx(np.exp(last.word_loss))
    assert last.step == 40


@pytest.mark.parametrize("pair", ["nsp", "sop"])
def test_what_can_be_learned_of_pairs_is_learned(pair):
    params = with_params(pair=pair, steps=300, evaluations=3, hidden_size=32, batch_tokens=512, short=0.0)
    train, held = (corpus(count, seed=seed, sentences=4, ordered=True) for count, seed in ((200, 0), (60, 1)))
    trained, _ = fit(params, train, held)
    known = chance_metrics(train, held, params)
    assert trained.best.accuracy > known["accuracy"]
    assert trained.best.perplexity < known["perplexity"]
    assert trained.best.pair_accuracy > known["pair_accuracy"] + 0.1


@pytest.mark.parametrize("changes", [{"dropout": 0.2}, {"pair": "nsp", "accumulate": 2}, {"family": "albert"}])
def test_a_snapshot_at_any_step_leads_to_the_same_bytes(changes):
    params = with_params(steps=9, evaluations=3, **changes)

    def started() -> Training:
        return Training(encoder(params), corpus(), corpus(4, seed=1), params, DEVICE, TEXT)

    whole, snapshots = started(), []
    while not whole.finished:
        snapshots.append(whole.state())
        whole.advance()
    expected = whole.result()
    weights = {name: value.numpy().tobytes() for name, value in whole.model.state_dict().items()}
    for snapshot in snapshots[::3]:
        training = started()
        torch.rand(3)  # what a global generator has given out before does not count
        training.restore(snapshot)
        while not training.finished:
            training.advance()
        assert training.result() == expected
        assert {name: value.numpy().tobytes() for name, value in training.model.state_dict().items()} == weights


def test_an_evaluation_that_was_interrupted_is_made_up_for():
    params = with_params(steps=4, evaluations=2)

    def started() -> Training:
        return Training(encoder(params), corpus(), corpus(4, seed=1), params, DEVICE, TEXT)

    whole, stopped = started(), started()
    while not whole.finished:
        whole.advance()
    stopped.stop_asked = lambda: stopped.done == 4
    while stopped.done < 4:
        stopped.advance()
    assert stopped.due
    assert not stopped.finished
    assert [evaluation.step for evaluation in stopped.evaluations] == [2]
    again = started()
    again.restore(stopped.state())
    again.advance()
    assert again.finished
    assert again.evaluations == whole.evaluations


def test_measuring_is_the_same_whenever_it_is_done():
    params, held = with_params(pair="sop", dropout=0.3), corpus(6, seed=1)
    model, moment = encoder(params), Moment(1, 0.5, 1e-3, 2.0)
    metrics = TEXT.measure(model, held, moment, params, DEVICE)
    torch.rand(2)
    state = torch.get_rng_state()
    assert TEXT.measure(model, held, moment, params, DEVICE) == metrics
    assert torch.equal(torch.get_rng_state(), state)
    small = TEXT.measure(model, held, moment, with_params(pair="sop", batch_tokens=32), DEVICE)
    assert small.word_loss == pytest.approx(metrics.word_loss, rel=1e-5)
    assert small.pair_accuracy == metrics.pair_accuracy


def test_choosing_draws_the_first_epoch_alone():
    params, train = with_params(steps=50), corpus()
    assert plan_updates(train, params)[49].epoch > 2
    train.drawn.clear()
    assert choose_for_training(encoder(params), train, params, TEXT).attention == "eager"
    assert list(train.drawn) == [0]


@pytest.mark.parametrize("family", ["bert", "albert"])
def test_a_loss_that_is_not_finite_names_step_and_documents(family):
    params = with_params(family=family)
    model = encoder(params)
    with torch.no_grad():
        model.get_input_embeddings().weight.fill_(float("nan"))
    training = Training(model, corpus(), corpus(4, seed=1), params, DEVICE, TEXT)
    training.advance()
    with pytest.raises(UsageError, match=r"step 1: .* nan on the examples 'd\d+'"):
        training.read_losses()
