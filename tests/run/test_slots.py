import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.repository.plan import PlannedStage
from pipeline.run.slots import (
    DOWNLOADS,
    MOST_ELSEWHERE,
    Slots,
    detect_devices,
    estimate_left,
    grant,
    runs_elsewhere,
    sort_by_urgency,
)


def stage(
    name: str, resource: str = "cpu", *, needs: tuple[str, ...] = (), seconds: float | None = None
) -> PlannedStage:
    return PlannedStage(name, "run", (), needs, resource, seconds)


@given(
    st.lists(st.sampled_from(["cpu", "gpu", "network"]), max_size=20),
    st.integers(1, 5),
    st.integers(0, 3),
    st.lists(st.integers(0, 19), max_size=40),
)
def test_no_more_is_ever_held_than_there_is_and_an_idle_machine_takes_anything(kinds, workers, gpus, ends):
    slots = Slots(workers, tuple(map(str, range(gpus))))
    held: dict[str, Slots] = {}
    running: dict[str, PlannedStage] = {}
    waiting = [stage(str(number), kind) for number, kind in enumerate(kinds)]
    while waiting or running:
        for candidate in list(waiting):
            granted = grant(candidate, slots, held, running)
            if granted is not None:
                waiting.remove(candidate)
                held[candidate.name], running[candidate.name] = granted, candidate
        assert running, "something always runs"
        devices = [device for each in held.values() for device in each.devices]
        assert sum(each.workers for each in held.values()) <= workers
        assert len(set(devices)) == len(devices) <= gpus
        resources = [each.resource for each in running.values()]
        assert resources.count("network") <= DOWNLOADS
        if not gpus and "gpu" in resources:
            assert len(resources) - resources.count("network") == 1
        ended = list(running)[ends.pop() % len(running) if ends else 0]
        del running[ended], held[ended]


def test_each_gpu_has_its_own_stage():
    slots = Slots(4, ("0", "1"))
    first = grant(stage("a", "gpu"), slots, {}, {})
    assert first == Slots(1, ("0",))
    second = grant(stage("b", "gpu"), slots, {"a": first}, {})
    assert second == Slots(1, ("1",))
    assert grant(stage("c", "gpu"), slots, {"a": first, "b": second}, {}) is None
    assert grant(stage("d"), slots, {"a": first, "b": second}, {}) == Slots(1)


def test_the_longest_way_to_the_end_goes_first():
    plan = [
        stage("short", seconds=5.0),
        stage("head", seconds=1.0),
        stage("untimed"),
        stage("tail", needs=("head",), seconds=9.0),
    ]
    assert [each.name for each in sort_by_urgency(plan)] == ["head", "tail", "short", "untimed"]


def test_the_time_left_is_that_of_the_longest_chain_or_of_all_work():
    first, second = PlannedStage("a", "run", (), (), "cpu", 10.0), PlannedStage("b", "run", (), ("a",), "cpu", 20.0)
    other = PlannedStage("c", "run", (), (), "cpu", 50.0)
    assert estimate_left([first, second], Slots(4)) == 30.0
    assert estimate_left([first, second, other], Slots(4)) == 50.0
    assert estimate_left([first, second, other], Slots(1)) == 80.0
    # Without a GPU such a stage takes all cores, with one it takes a core; a download takes none.
    assert estimate_left([first, other._replace(resource="gpu")], Slots(2)) == 55.0
    assert estimate_left([first, other._replace(resource="gpu")], Slots(2, ("0",))) == 50.0
    assert estimate_left([first, other._replace(resource="network")], Slots(1)) == 50.0
    assert estimate_left([first._replace(seconds=None)], Slots(1)) is None
    assert estimate_left([first._replace(seconds=None, verdict="restore")], Slots(1)) == 0.0
    assert estimate_left([], Slots(1)) == 0.0


def test_what_computes_goes_elsewhere_and_takes_no_slot_here():
    slots = Slots(1, elsewhere=2)
    away = [stage(str(number), "gpu")._replace(portable=True) for number in range(MOST_ELSEWHERE + 1)]
    running = {each.name: each for each in away[:-1]}
    held = dict.fromkeys(running, Slots(0))
    assert grant(away[-2], slots, {}, {}) == Slots(0)
    assert grant(away[-1], slots, held, running) is None
    assert grant(stage("here"), slots, held, running) == Slots(1)
    assert runs_elsewhere(away[0], slots)
    assert not runs_elsewhere(away[0], Slots(1))
    assert not runs_elsewhere(away[0]._replace(verdict="restore"), slots)
    three = [each._replace(seconds=10.0) for each in away[:3]]
    assert estimate_left([*three, stage("here", seconds=12.0)], slots) == 15.0


@pytest.mark.parametrize("resource", ["cpu", "network"])
def test_equals_keep_their_order(resource):
    plan = [stage(name, resource) for name in "dacb"]
    assert sort_by_urgency(plan) == plan


@pytest.mark.parametrize(
    ("allowed", "devices"),
    [("", ()), ("-1", ()), ("0", ("0",)), ("1, 3", ("1", "3")), ("GPU-ab,MIG-c", ("GPU-ab", "MIG-c"))],
)
def test_only_the_devices_that_the_environment_allows_count(monkeypatch, allowed, devices):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", allowed)
    assert detect_devices() == devices


def test_without_that_variable_the_driver_lists_them(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert detect_devices() == ()
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'GPU 0: A (UUID: GPU-1)'\necho 'GPU 1: A (UUID: GPU-2)'\n")
    tool.chmod(0o755)
    assert detect_devices() == ("0", "1")
    tool.write_text("#!/bin/sh\necho 'no driver'; exit 9\n")
    assert detect_devices() == ()
