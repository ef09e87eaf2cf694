"""Batches of a corpus: what masks, pairs and the plan of updates depend on, and the metrics of chance."""

import numpy as np
import pytest

from pipeline.pretrain.batches import (
    HELD_OUT_EPOCH,
    build_batch,
    chance_metrics,
    count_tokens,
    draw_epoch,
    plan_updates,
)
from pipeline.pretrain.masking import IGNORED
from pipeline.pretrain.pairs import NO_PAIR
from tests.given.pretraining import corpus, with_params


def test_masks_and_pairs_depend_on_seed_epoch_and_example_alone():
    params, train = with_params(pair="nsp"), corpus()
    rows = np.arange(len(draw_epoch(train, params, 3).labels))
    together = build_batch(train, params, 3, rows)
    for row in rows[::-1][:5]:
        alone = build_batch(train, params, 3, np.array([row]))
        place = slice(*together.tokens.offsets[row : row + 2])
        assert np.array_equal(alone.tokens.values, together.tokens.values[place])
        assert np.array_equal(alone.labels, together.labels[place])
    other = build_batch(train, params, 4, rows[:5])
    assert not np.array_equal(other.tokens.values[:20], together.tokens.values[:20])
    assert not np.array_equal(build_batch(train, with_params(pair="nsp", seed=1), 3, rows).labels, together.labels)


def test_every_use_of_chance_has_a_generator_of_its_own(monkeypatch):
    params, train, seeds = with_params(pair="nsp", seed=7), corpus(), []
    made = np.random.default_rng

    def noted(seed: list[int]) -> np.random.Generator:
        seeds.append(tuple(np.random.SeedSequence(seed).generate_state(4)))
        return made(seed)

    monkeypatch.setattr(np.random, "default_rng", noted)
    rows = np.arange(len(draw_epoch(train, params, 0).labels))
    build_batch(train, params, 0, rows)
    assert plan_updates(train, params)[0].number == 1
    assert len(seeds) == len(train.ids) + len(rows) + 1
    assert len(set(seeds)) == len(seeds)


def test_a_plan_of_many_epochs_has_so_many_steps_and_draws_each_epoch_anew():
    params, train = with_params(steps=50, accumulate=2), corpus()
    steps = plan_updates(train, params)
    listed = list(steps)
    assert len(steps) == len(listed) == 50
    assert [step.number for step in listed] == list(range(1, 51))
    assert [step.number for step in listed if step.evaluate] == [25, 50]
    assert listed[-1].epoch > 2
    assert steps[49].rows.tolist() == listed[49].rows.tolist()  # asked again, from an epoch that was let go
    assert steps[0].rows.tolist() == listed[0].rows.tolist()
    for step in listed:
        sizes = count_tokens(draw_epoch(train, params, int(np.ceil(step.epoch)) - 1))[step.rows]
        assert sizes.max() <= params.max_length
        assert all(len(part) * 3 <= params.batch_tokens for part in step.parts)


def test_chance_is_that_of_frequencies():
    params, train, held = with_params(pair="nsp"), corpus(), corpus(5, seed=1)
    metrics = chance_metrics(train, held, params)
    labels = draw_epoch(held, params, HELD_OUT_EPOCH).labels
    assert metrics["pair_accuracy"] == max((labels == 0).mean(), (labels == 1).mean())
    counts = np.bincount(train.tokens, minlength=60) + 1.0
    hidden = build_batch(held, params, HELD_OUT_EPOCH, np.arange(len(labels))).labels
    hidden = hidden[hidden != IGNORED]
    assert metrics["perplexity"] == pytest.approx(np.exp(-np.log((counts / counts.sum())[hidden]).mean()))
    assert chance_metrics(corpus(), corpus(5, seed=1), with_params())["pair_accuracy"] is None
    assert (draw_epoch(corpus(5, seed=1), with_params(), HELD_OUT_EPOCH).labels == NO_PAIR).all()
