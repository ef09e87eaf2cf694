import numpy as np
import pyarrow as pa
import pytest
from scipy.special import log_softmax, softmax

from pipeline.calibration.decision import PLAIN, Decision
from pipeline.core.errors import EnvironmentFault
from pipeline.core.stage import load_facet
from pipeline.export.parity import LogitPair, compare_logits, compare_outputs, judge_gain, judge_int8, require_equal
from pipeline.settings.production import ExportParams

RNG = np.random.default_rng(0)
TRAINED = RNG.normal(size=(400, 3)).astype(np.float32)
ACTUAL = np.where(RNG.random(400) < 0.8, TRAINED.argmax(axis=1), RNG.integers(0, 3, 400))


def with_flips(count):
    """Logits that are wrong in `count` rows that the trained model has right."""
    logits = TRAINED.copy()
    right = np.flatnonzero(TRAINED.argmax(axis=1) == ACTUAL)[:count]
    logits[right, (ACTUAL[right] + 1) % 3] = 9
    return logits


LABELS = ("a", "b", "c")


def compare(trained, exported, decision=PLAIN):
    return compare_logits(trained, exported, ACTUAL, labels=LABELS, decision=decision)


def params(largest_drop=0.01, level=0.05):
    return ExportParams(task="t", kind="text-classification", largest_drop=largest_drop, level=level)


def test_equal_logits_differ_in_nothing():
    same = compare(TRAINED, TRAINED)
    assert (same.rows, same.flipped, same.largest_difference, same.right_p) == (400, 0, 0.0, 1.0)
    assert same.right == same.right_trained == 1 - same.wrong == (TRAINED.argmax(axis=1) == ACTUAL).mean()
    assert same.loss == pytest.approx(-log_softmax(TRAINED.astype(float), axis=1)[np.arange(400), ACTUAL].mean())
    require_equal(same)
    assert judge_int8(same, params(0.0)) is None


def test_another_logit_in_fp32_is_a_fault():
    other = TRAINED.copy()
    other[7, 1] += 0.01
    with pytest.raises(EnvironmentFault, match=r"0\.01"):
        require_equal(compare(TRAINED, other))
    other[7, 1] = np.nan
    with pytest.raises(EnvironmentFault):
        require_equal(compare(TRAINED, other))


@pytest.mark.parametrize(
    ("flips", "largest_drop", "shipped"),
    [(4, 0.01, True), (5, 0.01, False), (5, 0.02, True), (6, 0.02, False)],  # 6 of 6: p = 0.03
)
def test_int8_must_neither_fall_too_far_nor_surely(flips, largest_drop, shipped):
    compared = compare(TRAINED, with_flips(flips))
    assert compared.flipped == flips
    assert (judge_int8(compared, params(largest_drop)) is None) == shipped


def test_a_better_int8_is_shipped():
    compared = compare(with_flips(40), TRAINED)
    assert compared.right_p < 1e-6
    assert judge_int8(compared, params(0.0)) is None


def test_answers_of_the_decision_are_judged_and_not_the_most_probable_classes():
    sharper = 30 * TRAINED  # the same classes, and hardly a doubt
    assert judge_int8(compare(TRAINED, sharper), params(0.0)) is None
    doubting = Decision(abstain_below=0.8, favoured=None, threshold=None)
    surer, shyer = compare(TRAINED, sharper, doubting), compare(sharper, TRAINED, doubting)
    assert surer.right > surer.right_trained  # and yet wrong more often
    assert surer.flipped == shyer.flipped > 100
    assert "wrong" in judge_int8(surer, params())
    assert "right" in judge_int8(shyer, params())
    moved = TRAINED + np.float32([0, 0, 0.2])
    favouring = Decision(abstain_below=None, favoured="c", threshold=0.05)
    expected = np.where(softmax(moved, axis=1)[:, 2] >= 0.05, 2, moved[:, :2].argmax(axis=1))
    compared = compare(TRAINED, moved, favouring)
    assert compared.right == pytest.approx((expected == ACTUAL).mean())
    assert compared.flipped == (softmax(TRAINED, axis=1)[:, 2] < 0.05)[softmax(moved, axis=1)[:, 2] >= 0.05].sum()


def test_windows_of_passages_are_counted_and_their_answers_scored():
    answers, measures = (load_facet("question-answering", name) for name in ("answers", "measures"))
    windows = [RNG.normal(size=(6, 2)).astype(np.float32) for _ in range(3)]
    columns = {"context": ["abcdef", None, "xyz uvw"], "answers": [["cd"], None, []]}
    bounds = {"starts": [[-1, -1, 0, 1, 2, 3]] * 3, "ends": [[-1, -1, 1, 2, 3, 4]] * 3}
    rows, moved = pa.table(columns | bounds), [logits[::-1].copy() for logits in windows]
    same, other = (
        compare_outputs(answers, measures, LogitPair(windows, each), rows, labels=("start", "end"), decision=(0.0,))
        for each in (windows, moved)
    )
    assert (same.rows, same.flipped, same.largest_difference, same.loss_p) == (3, 0, 0.0, 1.0)
    assert (other.rows, other.flipped) == (3, 3)
    require_equal(same)
    with pytest.raises(EnvironmentFault, match="3 of 3"):
        require_equal(other)


def test_int8_that_leaves_most_weights_as_they_are_is_not_worth_its_file():
    assert judge_gain({"fp32": 100, "int8": 75}) is None
    assert "76 of 100" in judge_gain({"fp32": 100, "int8": 76})
