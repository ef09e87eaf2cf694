import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.stats import ks_2samp

from pipeline.checks.drift import (
    LENGTH_EDGES,
    count_profile,
    kolmogorov_smirnov,
    label_drift,
    length_drift,
    profile_split,
    set_reference,
    total_variation,
)
from pipeline.core.errors import UsageError
from pipeline.settings.task import Profile

HISTOGRAMS = st.lists(st.integers(0, 30), min_size=4, max_size=4).filter(any)
SHARES = st.dictionaries(st.sampled_from("abcd"), st.integers(1, 9), min_size=1).map(
    lambda counts: {name: count / sum(counts.values()) for name, count in counts.items()}
)


TEXTS, LABELS = ["", "one", "two words", "a b c", "a b c d e f g", None], list("xxxyy?")


def test_profile_counts_rows_shares_and_lengths_by_hand() -> None:
    found = profile_split([count_profile(TEXTS, LABELS)], ["y", "x", "never"])
    assert found["rows"] == 6
    assert list(found["label_shares"].items()) == [("y", 2 / 6), ("x", 3 / 6), ("never", 0.0)]
    assert found["length_counts"][:6] == [2, 1, 1, 1, 0, 1]  # no word (twice), 1, 2, 3, 4 to 5, 6 to 7
    assert len(found["length_counts"]) == len(LENGTH_EDGES) + 1
    assert sum(found["length_counts"]) == 6


@given(st.integers(0, len(TEXTS)))
def test_the_parts_change_nothing(cut: int) -> None:
    parts = [count_profile(TEXTS[:cut], LABELS[:cut]), count_profile(TEXTS[cut:], LABELS[cut:])]
    assert profile_split(parts, ["y", "x"]) == profile_split([count_profile(TEXTS, LABELS)], ["y", "x"])


def test_lengths_at_the_edges_open_a_new_bin() -> None:
    for bin_number, edge in enumerate(LENGTH_EDGES, start=1):
        texts = ["w " * (edge - 1), "w " * edge]
        counts = profile_split([count_profile(texts, ["x", "x"])], ["x"])["length_counts"]
        assert counts[bin_number - 1] == counts[bin_number] == 1


def test_profile_of_nothing_has_no_shares() -> None:
    found = profile_split([], ["x", "y"])
    assert found["label_shares"] == {"x": 0.0, "y": 0.0}
    assert sum(found["length_counts"]) == found["rows"] == 0


def test_profile_is_what_params_read() -> None:
    Profile.model_validate_json('{"rows": 2, "label_shares": {"x": 0.5, "y": 0.5}, "length_counts": [0, 2]}')
    Profile.model_validate(profile_split([count_profile(["a", "b c", "d"], ["x", "x", "y"])], ["x", "y"]), strict=False)


@pytest.mark.parametrize(
    "wrong",
    [
        {"label_shares": {"x": 0.5}},
        {"length_counts": (1, 2)},
        {"length_counts": (-1, 3)},
        {"rows": 0},
        {"label_shares": {}},
    ],
)
def test_profile_that_does_not_add_up_is_refused(wrong: dict[str, object]) -> None:
    right = {"rows": 2, "label_shares": {"x": 0.5, "y": 0.5}, "length_counts": (0, 2)}
    Profile.model_validate(right)
    with pytest.raises(ValidationError):
        Profile.model_validate({**right, **wrong})


def test_total_variation_by_hand() -> None:
    assert total_variation({"a": 0.5, "b": 0.5}, {"a": 0.8, "b": 0.2}) == pytest.approx(0.3)
    assert total_variation({"a": 0.6, "b": 0.4}, {"a": 0.5, "c": 0.5}) == pytest.approx(0.5)
    assert total_variation({"a": 1.0}, {"b": 1.0}) == 1.0


@given(SHARES, SHARES, SHARES)
def test_total_variation_is_a_distance_in_the_unit_interval(
    one: dict[str, float], two: dict[str, float], three: dict[str, float]
) -> None:
    assert total_variation(one, one) == 0
    assert total_variation(one, two) == total_variation(two, one)
    assert 0 <= total_variation(one, two) <= 1
    assert total_variation(one, three) <= total_variation(one, two) + total_variation(two, three) + 1e-12


@given(HISTOGRAMS, HISTOGRAMS)
def test_kolmogorov_smirnov_agrees_with_scipy_on_the_binned_values(one: list[int], other: list[int]) -> None:
    reference = ks_2samp(np.repeat(range(4), one), np.repeat(range(4), other), method="asymp")
    assert kolmogorov_smirnov(one, other) == pytest.approx(reference.statistic, abs=1e-12)


def test_kolmogorov_smirnov_from_an_empty_histogram_is_one() -> None:
    assert kolmogorov_smirnov([0, 0, 0], [1, 2, 3]) == 1


def test_drifts_compare_a_profile_with_its_reference() -> None:
    before = profile_split([count_profile(["a", "b", "c d", "e f"], list("xxyy"))], ["x", "y"])
    reference = Profile.model_validate(before, strict=False)
    assert label_drift(before, reference) == length_drift(before, reference) == 0
    after = profile_split([count_profile(["a", "b c", "d e", "f g"], list("xyyy"))], ["x", "y"])
    assert label_drift(after, reference) == 0.25
    assert length_drift(after, reference) == 0.25


def test_reference_with_other_bins_is_refused() -> None:
    reference = Profile(rows=2, label_shares={"x": 1.0}, length_counts=(1, 1))
    with pytest.raises(UsageError, match=r"2 length bins.*21.*accept"):
        length_drift(profile_split([count_profile(["a"], ["x"])], ["x"]), reference)


def test_accept_puts_the_profile_in_and_leaves_the_rest() -> None:
    old = {"spam": {"rows": 1}, "reviews": {"rows": 2}}
    new = set_reference(old, "questions", {"rows": 3})
    assert list(new.items()) == [("questions", {"rows": 3}), ("reviews", {"rows": 2}), ("spam", {"rows": 1})]
    assert set_reference(new, "spam", {"rows": 9})["spam"] == {"rows": 9}
    assert old == {"spam": {"rows": 1}, "reviews": {"rows": 2}}
