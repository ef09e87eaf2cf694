import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from transformers import get_cosine_schedule_with_warmup, get_linear_schedule_with_warmup

from pipeline.train.optimizer import build_optimizer, schedule_rate, set_rate

REFERENCE = {"linear": get_linear_schedule_with_warmup, "cosine": get_cosine_schedule_with_warmup}


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_after_the_warmup_the_rate_is_the_stock_schedule(schedule):
    steps, rising = 50, 10
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    stock = REFERENCE[schedule](optimizer, rising, steps)
    for step in range(steps):
        ours = schedule_rate(step, steps=steps, warmup=rising / steps, schedule=schedule)
        if step >= rising:
            assert ours == pytest.approx(stock.get_last_lr()[0])
        optimizer.step()
        stock.step()


@given(st.integers(1, 300), st.floats(0, 0.99), st.sampled_from(["linear", "cosine"]))
def test_the_rate_rises_to_one_and_falls_without_a_dead_step(steps, warmup, schedule):
    rates = [schedule_rate(step, steps=steps, warmup=warmup, schedule=schedule) for step in range(steps)]
    top = rates.index(max(rates))
    assert all(0 < value <= 1 for value in rates)
    assert max(rates) == 1
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)


def test_only_what_learns_is_optimised_and_only_matrices_decay():
    model = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3), nn.Linear(3, 2))
    model[0].requires_grad_(requires_grad=False)
    optimizer = build_optimizer(model, learning_rate=0.5, weight_decay=0.1, scales={})
    decayed, plain = optimizer.param_groups
    assert decayed["weight_decay"] == 0.1
    assert [id(p) for p in decayed["params"]] == [id(model[2].weight)]
    assert plain["weight_decay"] == 0.0
    assert {id(p) for p in plain["params"]} == {id(model[1].weight), id(model[1].bias), id(model[2].bias)}
    set_rate(optimizer, 0.25)
    assert {group["lr"] for group in optimizer.param_groups} == {0.25}
