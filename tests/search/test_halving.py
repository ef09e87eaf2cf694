from hypothesis import given
from hypothesis import strategies as st

from pipeline.search.halving import keep_best
from pipeline.settings.search.sections import HalveParams

SCORES = st.lists(st.none() | st.just("diverged") | st.floats(0, 1), min_size=1, max_size=9)


def result(score):
    diverged = score == "diverged"
    document = {"values": {}, "score": None if diverged else score, "steps": 1, "examples": 2}
    return score if score is None else {**document, "stopped": "diverged" if diverged else "paused"}


def keep(scores, share, *, lower=False):
    params = HalveParams(task="t", lower=lower, slots=tuple(range(len(scores))), share=share)
    kept = keep_best(params, {slot: result(score) for slot, score in enumerate(scores)})
    assert list(kept) == [*params.slots]
    assert all(one is None or one == result(scores[slot]) for slot, one in kept.items())
    return [slot for slot, one in kept.items() if one is not None]


@given(SCORES, st.floats(0.01, 0.99), st.booleans())
def test_the_best_share_of_those_that_ran_goes_on(scores, share, lower):
    kept = keep(scores, share, lower=lower)
    finite = [slot for slot, score in enumerate(scores) if isinstance(score, float)]
    ran = len([score for score in scores if score is not None])
    assert share * ran <= len(kept) < share * ran + 1 or len(kept) == len(finite) < share * ran
    rest = [scores[slot] for slot in finite if slot not in kept]
    own = [scores[slot] for slot in kept]
    assert not rest or not own or (max(own) <= min(rest) if lower else min(own) >= max(rest))


def test_one_goes_on_at_least_the_first_of_equals():
    assert keep([0.5], 0.1) == [0]
    assert keep([0.5, 0.7, 0.7, None], 0.1) == [1]
    assert keep([0.5, 0.7, 0.6], 0.5) == [1, 2]
    assert keep(["diverged", None], 0.9) == []
