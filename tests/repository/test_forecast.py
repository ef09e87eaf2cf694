"""Paths inside each other; forecasts are tested in tests/repository/test_planner.py."""

from dvc.fs import localfs
from hypothesis import given
from hypothesis import strategies as st

from pipeline.repository.forecast import overlap

PATHS = st.lists(st.sampled_from(["a", "ab", "b", "a.b"]), max_size=4).map(lambda parts: "/" + "/".join(parts))


@given(PATHS, PATHS)
def test_paths_overlap_as_dvc_has_it(left, right):
    assert overlap(left, right) == bool(localfs.isin_or_eq(left, right) or localfs.isin_or_eq(right, left))
