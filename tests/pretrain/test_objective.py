"""The losses of the objectives beside the library's own, and what a training by them promises."""

import json

import numpy as np
import pytest
import torch

from pipeline.core.errors import UsageError
from pipeline.models.attention import FLAT
from pipeline.models.compute import using
from pipeline.models.layers import encoder_layers
from pipeline.pretrain.batches import MEASURED, batch, chance, drawn, lengths, plan_steps
from pipeline.pretrain.families import continued_encoder, require_pair, without_generator
from pipeline.pretrain.masking import IGNORED
from pipeline.pretrain.objective import TEXT, losses, measure
from pipeline.pretrain.pairs import NO_PAIR
from pipeline.train.choice import agrees, for_training
from pipeline.train.objective import Moment
from pipeline.train.training import Trained, Training
from tests.given.pretraining import DEVICE, FAMILIES, corpus, encoder, with_params

PAIRED = [("bert", "nsp"), ("albert", "sop")]


def fit(params, train, held) -> tuple[Trained, torch.nn.Module]:
    model = encoder(params)
    training = Training(model, train, held, params, DEVICE, TEXT)
    while not training.finished:
        training.advance()
    return training.result(), model


def stock_inputs(given) -> dict[str, torch.Tensor]:
    """Return a batch padded as the library's collators do."""
    count, width = len(given.tokens.lengths), int(given.tokens.lengths.max())
    ids, mask, types = (torch.zeros(count, width, dtype=torch.int64) for _ in range(3))
    labels = torch.full((count, width), IGNORED)
    for row, (start, stop) in enumerate(zip(given.tokens.offsets, given.tokens.offsets[1:], strict=False)):
        size = stop - start
        ids[row, :size] = torch.from_numpy(given.tokens.values[start:stop].astype(np.int64))
        labels[row, :size], mask[row, :size] = torch.from_numpy(given.labels[start:stop]), 1
        if given.tokens.types is not None:
            types[row, :size] = torch.from_numpy(given.tokens.types[start:stop].astype(np.int64))
    return {"input_ids": ids, "attention_mask": mask, "labels": labels, "token_type_ids": types}


@pytest.mark.parametrize(("family", "pair"), PAIRED)
@pytest.mark.parametrize("attention", ["eager", FLAT])
def test_loss_and_gradient_are_those_of_the_stock_model(family, pair, attention):
    params = with_params(family=family, pair=pair, short=0.5, batch_tokens=2000)
    train, ours, stock = corpus(), encoder(params), encoder(params)
    step = plan_steps(train, params)[0]
    with using(ours, attention):
        (found,) = losses(ours.train(), train, None, step, params, DEVICE)
        found.backward()
    given = batch(train, params, 0, step.rows)
    name = {"nsp": "next_sentence_label", "sop": "sentence_order_label"}[pair]
    expected = stock.train()(**stock_inputs(given), **{name: torch.from_numpy(given.pairs)}).loss
    expected.backward()
    torch.testing.assert_close(found, expected)
    for (weight, one), other in zip(ours.named_parameters(), stock.parameters(), strict=True):
        if other.grad is not None:
            torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-6, msg=weight)


@pytest.mark.parametrize("family", ["roberta", "distilbert", "modernbert"])
def test_the_masked_loss_is_that_of_the_stock_model(family):
    params = with_params(family=family)
    train, ours, stock = corpus(), encoder(params), encoder(params)
    step = plan_steps(train, params)[0]
    (found,) = losses(ours.train(), train, None, step, params, DEVICE)
    inputs = stock_inputs(batch(train, params, 0, step.rows))
    del inputs["token_type_ids"]
    torch.testing.assert_close(found, stock.train()(**inputs).loss)


def test_replaced_tokens_are_told_apart_as_the_stock_discriminator_does():
    params = with_params(family="electra", found_weight=1.0)
    train, ours = corpus(), encoder(params)
    step = plan_steps(train, params)[0]
    given = batch(train, params, 0, step.rows)
    torch.manual_seed(5)
    (found,) = losses(ours.train(), train, None, step, params, DEVICE)
    inputs = stock_inputs(given)
    labels = inputs.pop("labels")
    del inputs["token_type_ids"]
    hidden = labels != IGNORED
    words = ours.generator(**inputs).logits[hidden]
    torch.manual_seed(5)
    ids = inputs["input_ids"].clone()
    ids[hidden] = torch.distributions.Categorical(logits=words).sample()
    text = torch.where(hidden, labels, inputs["input_ids"])
    told = ours(input_ids=ids, attention_mask=inputs["attention_mask"], labels=(ids != text).long()).loss
    torch.testing.assert_close(found, torch.nn.functional.cross_entropy(words, labels[hidden]) + told)
    shared = ours.generator.get_input_embeddings().weight
    assert shared is ours.get_input_embeddings().weight is ours.generator.generator_lm_head.weight
    assert not any(name.startswith("generator") for name in without_generator(ours).state_dict())


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_learns_and_its_perplexity_falls(family):
    params = with_params(family=family, steps=40, evaluations=4, hidden_size=32)
    trained, _ = fit(params, corpus(60, told=True), corpus(20, seed=1, told=True))
    first, last = trained.evaluations[0], trained.evaluations[-1]
    assert last.perplexity < first.perplexity
    assert last.perplexity == pytest.approx(np.exp(last.word_loss))
    assert (last.found_accuracy is not None) == (family == "electra")
    assert last.step == 40


@pytest.mark.parametrize("pair", ["nsp", "sop"])
def test_what_can_be_learned_of_pairs_is_learned(pair):
    params = with_params(pair=pair, steps=300, evaluations=3, hidden_size=32, batch_tokens=512, short=0.0)
    train, held = (corpus(count, seed=seed, sentences=4, told=True) for count, seed in ((200, 0), (60, 1)))
    trained, _ = fit(params, train, held)
    known = chance(train, held, params)
    assert trained.best.accuracy > known["accuracy"]
    assert trained.best.perplexity < known["perplexity"]
    assert trained.best.pair_accuracy > known["pair_accuracy"] + 0.1


@pytest.mark.parametrize("changes", [{"dropout": 0.2}, {"pair": "nsp", "accumulate": 2}, {"family": "electra"}])
def test_a_snapshot_at_any_step_leads_to_the_same_bytes(changes):
    params = with_params(steps=9, evaluations=3, **changes)

    def started() -> Training:
        return Training(encoder(params), corpus(), corpus(4, seed=1), params, DEVICE, TEXT)

    whole, snapshots = started(), []
    while not whole.finished:
        snapshots.append(whole.snapshot())
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
    stopped.asked = lambda: stopped.done == 4
    while stopped.done < 4:
        stopped.advance()
    assert stopped.due
    assert not stopped.finished
    assert [found.step for found in stopped.evaluations] == [2]
    again = started()
    again.restore(stopped.snapshot())
    again.advance()
    assert again.finished
    assert again.evaluations == whole.evaluations


def test_masks_and_pairs_depend_on_seed_epoch_and_example_alone():
    params, train = with_params(pair="nsp"), corpus()
    rows = np.arange(len(drawn(train, params, 3).labels))
    together = batch(train, params, 3, rows)
    for row in rows[::-1][:5]:
        alone = batch(train, params, 3, np.array([row]))
        place = slice(*together.tokens.offsets[row : row + 2])
        assert np.array_equal(alone.tokens.values, together.tokens.values[place])
        assert np.array_equal(alone.labels, together.labels[place])
    other = batch(train, params, 4, rows[:5])
    assert not np.array_equal(other.tokens.values[:20], together.tokens.values[:20])
    assert not np.array_equal(batch(train, with_params(pair="nsp", seed=1), 3, rows).labels, together.labels)


def test_every_use_of_chance_has_a_generator_of_its_own(monkeypatch):
    params, train, seeds = with_params(pair="nsp", seed=7), corpus(), []
    made = np.random.default_rng

    def noted(seed: list[int]) -> np.random.Generator:
        seeds.append(tuple(np.random.SeedSequence(seed).generate_state(4)))
        return made(seed)

    monkeypatch.setattr(np.random, "default_rng", noted)
    rows = np.arange(len(drawn(train, params, 0).labels))
    batch(train, params, 0, rows)
    assert plan_steps(train, params)[0].number == 1
    assert len(seeds) == len(train.ids) + len(rows) + 1
    assert len(set(seeds)) == len(seeds)


def test_accumulated_micro_batches_are_one_large_batch():
    params = with_params(pair="nsp", batch_tokens=10_000)
    train, model = corpus(), encoder(params)
    step = plan_steps(train, params)[0]
    cut = np.array_split(step.rows, [2, 9])
    (whole,) = losses(model, train, None, step, params, DEVICE)
    parts = sum(losses(model, train, None, step._replace(parts=tuple(cut)), params, DEVICE))
    torch.testing.assert_close(parts, whole)


def test_a_plan_of_many_epochs_has_so_many_steps_and_draws_each_epoch_anew():
    params, train = with_params(steps=50, accumulate=2), corpus()
    steps = plan_steps(train, params)
    found = list(steps)
    assert len(steps) == len(found) == 50
    assert [step.number for step in found] == list(range(1, 51))
    assert [step.number for step in found if step.evaluate] == [25, 50]
    assert found[-1].epoch > 2
    assert steps[49].rows.tolist() == found[49].rows.tolist()  # asked again, from an epoch that was let go
    assert steps[0].rows.tolist() == found[0].rows.tolist()
    for step in found:
        sizes = lengths(drawn(train, params, int(np.ceil(step.epoch)) - 1))[step.rows]
        assert sizes.max() <= params.max_length
        assert all(len(part) * 3 <= params.batch_tokens for part in step.parts)


def test_measuring_is_the_same_whenever_it_is_done():
    params, held = with_params(pair="sop", dropout=0.3), corpus(6, seed=1)
    model, moment = encoder(params), Moment(1, 0.5, 1e-3, 2.0)
    one = measure(model, held, moment, params, DEVICE)
    torch.rand(2)
    state = torch.get_rng_state()
    assert measure(model, held, moment, params, DEVICE) == one
    assert torch.equal(torch.get_rng_state(), state)
    small = measure(model, held, moment, with_params(pair="sop", batch_tokens=32), DEVICE)
    assert small.word_loss == pytest.approx(one.word_loss, rel=1e-5)
    assert small.pair_accuracy == one.pair_accuracy


def test_chance_is_that_of_frequencies():
    params, train, held = with_params(pair="nsp"), corpus(), corpus(5, seed=1)
    found = chance(train, held, params)
    labels = drawn(held, params, MEASURED).labels
    assert found["pair_accuracy"] == max((labels == 0).mean(), (labels == 1).mean())
    counts = np.bincount(train.tokens, minlength=60) + 1.0
    hidden = batch(held, params, MEASURED, np.arange(len(labels))).labels
    hidden = hidden[hidden != IGNORED]
    assert found["perplexity"] == pytest.approx(np.exp(-np.log((counts / counts.sum())[hidden]).mean()))
    assert chance(corpus(), corpus(5, seed=1), with_params())["pair_accuracy"] is None
    assert (drawn(corpus(5, seed=1), with_params(), MEASURED).labels == NO_PAIR).all()


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "electra"])
def test_attentions_of_encoders_are_compared_too(family):
    params, train = with_params(family=family), corpus()
    model = encoder(params)
    rows = plan_steps(train, params)[0].rows
    assert agrees(model, FLAT, train, rows, DEVICE, TEXT)
    assert len(encoder_layers(model)) == 2


def test_choosing_draws_the_first_epoch_alone():
    params, train = with_params(steps=50), corpus()
    assert plan_steps(train, params)[49].epoch > 2
    train.keeper.clear()
    assert for_training(encoder(params), train, params, TEXT).attention == "eager"
    assert list(train.keeper) == [0]


def test_only_families_with_a_head_for_pairs_learn_them():
    require_pair(with_params(pair="nsp"))
    with pytest.raises(UsageError, match=r"roberta has no head for `pair: sop`; take bert, albert, or `pair: none`"):
        require_pair(with_params(family="roberta", pair="sop"))


def test_a_folder_goes_on_and_another_family_is_refused(tmp_path):
    params = with_params()
    model = encoder(params)
    model.save_pretrained(tmp_path)
    again = continued_encoder(tmp_path, params)
    for one, other in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "bert"
    with pytest.raises(UsageError, match=r"family` is albert, and .* holds one of 'bert'"):
        continued_encoder(tmp_path, with_params(family="albert"))


@pytest.mark.parametrize("family", ["bert", "electra"])
def test_a_loss_that_is_not_finite_names_step_and_documents(family):
    params = with_params(family=family)
    model = encoder(params)
    with torch.no_grad():
        model.get_input_embeddings().weight.fill_(float("nan"))
    training = Training(model, corpus(), corpus(4, seed=1), params, DEVICE, TEXT)
    training.advance()
    with pytest.raises(UsageError, match=r"loss at step 1 is nan, on the examples 'd\d+'"):
        training.look()
