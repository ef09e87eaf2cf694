"""Retries of stages: how long one is waited for."""

import pytest

from pipeline.flow.tasks import list_delays


@pytest.mark.parametrize(("resource", "on_cluster", "patient"), [
    ("cpu", False, False), ("gpu", False, False), ("network", False, True), ("cpu", True, True), ("gpu", True, True),
])  # fmt: skip
def test_what_comes_over_the_network_may_be_away_for_a_minute(resource, on_cluster, patient):
    delays = list_delays(resource, on_cluster=on_cluster)
    assert (sum(delays) > 60) is patient
    assert list(delays) == sorted(delays)
    assert delays[-1] > 2
