import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.repository.plan import Step
from pipeline.run.slots import DOWNLOADS, Grant, Slots, by_urgency, grant


def step(name: str, resource: str = "cpu", *, needs: tuple[str, ...] = (), seconds: float | None = None) -> Step:
    return Step(name, "run", (), needs, resource, seconds)


@given(
    st.lists(st.sampled_from(["cpu", "gpu", "network"]), max_size=20),
    st.integers(1, 5),
    st.integers(0, 3),
    st.lists(st.integers(0, 19), max_size=40),
)
def test_no_more_is_ever_held_than_there_is_and_an_idle_machine_takes_anything(kinds, workers, gpus, ends):
    slots = Slots(workers, tuple(map(str, range(gpus))))
    held: dict[str, Grant] = {}
    running: dict[str, Step] = {}
    waiting = [step(str(number), kind) for number, kind in enumerate(kinds)]
    while waiting or running:
        for one in list(waiting):
            granted = grant(one, slots, held, running)
            if granted is not None:
                waiting.remove(one)
                held[one.name], running[one.name] = granted, one
        assert running, "something always goes on"
        devices = [device for each in held.values() for device in each.devices]
        assert sum(each.workers for each in held.values()) <= workers
        assert len(set(devices)) == len(devices) <= gpus
        assert sum(one.resource == "network" for one in running.values()) <= DOWNLOADS
        if not gpus and any(one.resource == "gpu" for one in running.values()):
            assert sum(one.resource != "network" for one in running.values()) == 1
        gone = list(running)[ends.pop() % len(running) if ends else 0]
        del running[gone], held[gone]


def test_each_gpu_has_its_own_stage():
    slots = Slots(4, ("0", "1"))
    first = grant(step("a", "gpu"), slots, {}, {})
    assert first == Grant(1, ("0",))
    second = grant(step("b", "gpu"), slots, {"a": first}, {})
    assert second == Grant(1, ("1",))
    assert grant(step("c", "gpu"), slots, {"a": first, "b": second}, {}) is None
    assert grant(step("d"), slots, {"a": first, "b": second}, {}) == Grant(1)


def test_the_longest_way_to_the_end_goes_first():
    plan = [
        step("short", seconds=5.0),
        step("head", seconds=1.0),
        step("unseen"),
        step("tail", needs=("head",), seconds=9.0),
    ]
    assert [one.name for one in by_urgency(plan)] == ["head", "tail", "short", "unseen"]


@pytest.mark.parametrize("resource", ["cpu", "network"])
def test_equals_keep_their_order(resource):
    plan = [step(name, resource) for name in "dacb"]
    assert by_urgency(plan) == plan
