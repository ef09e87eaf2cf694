"""The comparison of parameters; all other reasons are tested through tests/repository/test_planner.py."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.repository.reasons import compare_parameters

LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner))


@given(VALUES, VALUES)
def test_parameters_differ_exactly_if_a_reason_says_so(old, new):
    reasons = compare_parameters("p", old, new)
    assert bool(reasons) == (old != new) or (isinstance(old, dict) and isinstance(new, dict))
    assert all(reason.old != reason.new for reason in reasons)


def test_leaves_have_their_path_and_absent_is_none():
    old, new = {"a": 1, "b": {"c": 2, "d": 3}}, {"a": 1, "b": {"c": 5}, "e": 6}
    assert [tuple(reason)[1:] for reason in compare_parameters("p", old, new)] == [
        ("p.b.c", 2, 5),
        ("p.b.d", 3, None),
        ("p.e", None, 6),
    ]
