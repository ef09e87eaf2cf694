import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, fisher_exact, ks_2samp

from pipeline.watch.distances import measure_classes, measure_distribution, measure_share

COUNTS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=6).filter(
    lambda pairs: all(map(sum, zip(*pairs, strict=True)))
)


def test_distributions_are_compared_as_scipy_does():
    rng = np.random.default_rng(0)
    reference, file = rng.normal(size=300), rng.normal(0.3, size=200)
    theirs = ks_2samp(reference, file, method="asymp")
    ours = measure_distribution(reference, file)
    assert (ours.value, ours.p) == (pytest.approx(theirs.statistic), pytest.approx(theirs.pvalue))
    assert (ours.reference, ours.file) == (np.median(reference), np.median(file))


@given(st.lists(st.booleans(), min_size=1), st.lists(st.booleans(), min_size=1))
def test_a_share_rises_by_the_difference_of_means_with_fishers_p(reference, file):
    ours = measure_share(np.array(reference), np.array(file))
    assert ours.value == pytest.approx(np.mean(file) - np.mean(reference))
    table = [[sum(side), len(side) - sum(side)] for side in (reference, file)]
    assert ours.p == pytest.approx(fisher_exact(table).pvalue)


@given(COUNTS)
def test_classes_differ_by_half_the_sum_of_all_differences(pairs):
    reference, file = (np.array(side) for side in zip(*pairs, strict=True))
    ours, back = measure_classes(reference, file, seed=0), measure_classes(file, reference, seed=0)
    expected = np.abs(reference / reference.sum() - file / file.sum()).sum() / 2
    assert ours.value == pytest.approx(expected) == pytest.approx(back.value)
    assert 0 < ours.p <= 1


def test_common_classes_have_the_p_of_chi_square_and_rare_ones_that_of_random_tables():
    common, shifted = np.array([200, 300, 100]), np.array([120, 90, 60])
    theirs = chi2_contingency([common, shifted], correction=False)
    assert measure_classes(common, shifted, seed=0).p == pytest.approx(theirs.pvalue)
    rare, file = np.array([40, 1]), np.array([30, 5])
    exact = fisher_exact([rare, file]).pvalue
    assert measure_classes(rare, file, seed=0).p == pytest.approx(exact, abs=0.02)


def test_one_class_alone_is_no_difference():
    assert measure_classes(np.array([7, 0]), np.array([9, 0]), seed=0)[2:4] == (0.0, 1.0)
