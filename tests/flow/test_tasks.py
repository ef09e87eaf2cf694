"""Retries of stages: how long one is waited for."""

import pytest

from pipeline.flow.tasks import list_delays
from pipeline.repository.plan import PlannedStage
from pipeline.run.slots import Slots


@pytest.mark.parametrize(("resource", "portable", "verdict", "elsewhere", "patient"), [
    ("cpu", True, "run", 0, False), ("network", False, "run", 0, True), ("cpu", True, "run", 2, True),
    ("gpu", True, "run", 2, True), ("cpu", False, "run", 2, False), ("cpu", True, "restore", 2, False),
])  # fmt: skip
def test_what_needs_the_network_may_be_away_for_a_minute(resource, portable, verdict, elsewhere, patient):
    stage = PlannedStage("a", verdict, (), (), resource, None, portable=portable)
    delays = list_delays(stage, Slots(1, elsewhere=elsewhere))
    assert (sum(delays) > 60) is patient
    assert list(delays) == sorted(delays)
