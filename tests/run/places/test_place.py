import sys

import pytest

from pipeline.core.errors import EnvironmentFault
from pipeline.run.places.here import start_here
from pipeline.run.places.place import StagePlace, open_place


def test_without_an_address_stages_run_here():
    with open_place(None) as place:
        assert place == StagePlace(start_here, 0)


def test_without_dask_its_extra_is_named(monkeypatch):
    monkeypatch.delitem(sys.modules, "pipeline.run.places.cluster", raising=False)
    monkeypatch.delitem(sys.modules, "pipeline.run.places.worker", raising=False)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(EnvironmentFault, match="machines"), open_place("tcp://here"):
        pass
