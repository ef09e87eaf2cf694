import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from pipeline.finetune.classification import CLASSES, balanced_weights, rows_of
from pipeline.models.processes import ALONE
from pipeline.train.objective import Step
from pipeline.train.update import update
from tests.given.training import DEVICE, fit, model, rows, with_params


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60))
def test_balanced_weights_are_scikit_learns(labels):
    weights = balanced_weights(torch.tensor(labels), 5)
    present = sorted(set(labels))
    expected = compute_class_weight("balanced", classes=np.array(present), y=labels)
    assert weights[present].tolist() == pytest.approx(list(expected))
    assert weights[4] == 0
    assert float(weights[torch.tensor(labels)].mean()) == pytest.approx(1)


def test_steps_are_spread_and_each_epoch_sees_every_row_once():
    steps = CLASSES.plan(rows(50), with_params(epochs=3, evaluations=4))
    per_epoch = len(steps) // 3
    for epoch in range(3):
        part = steps[epoch * per_epoch : (epoch + 1) * per_epoch]
        assert sorted(row for step in part for row in step.rows) == list(range(50))
        assert sum(step.evaluate for step in part) == 4
        assert part[-1].evaluate
        assert part[-1].epoch == epoch + 1
    assert [list(s.rows) for s in steps[:per_epoch]] != [list(s.rows) for s in steps[per_epoch : 2 * per_epoch]]


def test_accumulation_groups_the_batches_of_an_epoch():
    single, threes = (CLASSES.plan(rows(50), with_params(accumulate=count)) for count in (1, 3))
    per_epoch = len(single) // 3
    assert len(threes) == 3 * -(-per_epoch // 3)
    assert [list(part) for step in threes for part in step.parts] == [list(step.rows) for step in single]
    assert threes[-1].epoch == 3
    assert {len(step.parts) for step in single} == {1}


def test_balanced_weights_and_smoothing_change_the_loss(encoder):
    def loss(**changes: object) -> float:
        params = with_params(epochs=1, evaluations=1, learning_rate=1e-12, **changes)
        unbalanced = rows(40)._replace(labels=np.array([0] * 36 + [1] * 4))
        return fit(model(encoder), unbalanced, rows(8, seed=1), params, DEVICE).best.train_loss

    plain = loss()
    assert loss(class_weights="balanced") != plain
    assert loss(label_smoothing=0.3) != plain


@pytest.mark.parametrize("weighting", ["none", "balanced"])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
def test_accumulated_micro_batches_are_one_large_batch(encoder, weighting, label_smoothing):
    """The gradient and the loss, over micro-batches of unequal sizes and unequal classes."""
    params = with_params(class_weights=weighting, label_smoothing=label_smoothing, max_grad_norm=1e6)
    train = rows(40)
    train = train._replace(labels=np.array([0] * 33 + [1] * 7))
    parts = (np.arange(20), np.arange(20, 37), np.arange(37, 40))
    results = []
    for split in (parts, (np.arange(40),)):
        classifier = model(encoder)
        weights = CLASSES.prepare(classifier, train, params, DEVICE)
        optimizer = torch.optim.SGD(classifier.parameters(), lr=1.0)
        losses = CLASSES.losses(classifier, train, weights, Step(1, split, 1, evaluate=False), params, DEVICE, ALONE)
        loss = update(classifier, optimizer, losses, max_grad_norm=params.max_grad_norm, device=DEVICE)
        results.append([loss, *classifier.parameters()])
    for actual, expected in zip(*results, strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-6)


def test_the_rows_of_a_split_are_its_own():
    table = pa.table(
        {
            "id": ["a", "b", "c"],
            "split": ["train", "test", "train"],
            "labels": pa.array([1, 0, 0], pa.int64()),
            "input_ids": pa.array([[2, 9, 3], [2, 3], [2, 8, 8, 3]], pa.list_(pa.int32())),
        }
    )
    train = rows_of(table, "train")
    assert train.ids == ("a", "c")
    assert train.labels.tolist() == [1, 0]
    assert train.tokens.values.tolist() == [2, 9, 3, 2, 8, 8, 3]
    assert train.tokens.lengths.tolist() == [3, 4]


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "loss"])
def test_the_metric_decides_what_is_better(encoder, metric):
    params = with_params(epochs=1, evaluations=1)
    scores = fit(model(encoder), rows(8), rows(8, seed=1), params, DEVICE).best
    params = with_params(metric=metric)
    more = scores._replace(**{metric: getattr(scores, metric) + 0.01})
    assert CLASSES.better(more, scores, params) == (metric != "loss")
    assert CLASSES.better(scores, more, params) == (metric == "loss")
    assert not CLASSES.better(scores, scores, params)
