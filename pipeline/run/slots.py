"""Slots of the machine (CPU cores, GPUs, downloads), and the order in which stages get them."""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pipeline.core.command import run_program
from pipeline.repository.plan import PlannedStage

DOWNLOADS = 4
# Each has a thread here that waits. The queue of a cluster must not run empty, and one that grows on demand needs one.
MOST_ELSEWHERE = 48


class Slots(NamedTuple):
    """Slots of the machine, or those that a running stage holds: the number for CPUs, and the identifiers of GPUs.

    `elsewhere` is the number of stages that other machines run at a time.
    """

    workers: int
    devices: tuple[str, ...] = ()
    elsewhere: int = 0


def grant(
    stage: PlannedStage, slots: Slots, held: Mapping[str, Slots], running: Mapping[str, PlannedStage]
) -> Slots | None:
    """Return the slots that `stage` gets beside those that are `held` by name, or None if it has to wait.

    A GPU stage takes one GPU and one CPU slot. On a machine without a GPU it computes on all cores, so it takes all CPU
    slots and runs alone among the stages that compute. A download computes nothing and takes no slot; at most four
    downloads run at a time. Nor does a stage for another machine take one: there it waits for a slot of that machine.
    """
    if runs_elsewhere(stage, slots):
        away = sum(runs_elsewhere(other, slots) for other in running.values())
        return Slots(0) if away < MOST_ELSEWHERE else None
    if stage.resource == "network":
        downloads = sum(other.resource == "network" for other in running.values())
        return Slots(0) if downloads < DOWNLOADS else None
    free = slots.workers - sum(other.workers for other in held.values())
    if stage.resource == "gpu" and slots.devices:
        taken = {device for other in held.values() for device in other.devices}
        device = next((device for device in slots.devices if device not in taken), None)
        return Slots(1, (device,)) if device is not None and free >= 1 else None
    needed = slots.workers if stage.resource == "gpu" else 1
    return Slots(needed) if free >= needed else None


def runs_elsewhere(stage: PlannedStage, slots: Slots) -> bool:
    """Return whether a stage goes to another machine: if there is one, and it computes."""
    return slots.elsewhere > 0 and stage.portable and stage.verdict != "restore"


def sort_by_urgency(plan: Sequence[PlannedStage]) -> list[PlannedStage]:
    """Return the stages sorted by the time from their start to the end of all that depends on them, longest first.

    A stage that was never timed counts as one second, so that long chains still go first; equals keep their order.
    """
    times = _times_to_end(plan)
    return sorted(plan, key=lambda stage: -times[stage.name])


def estimate_left(stages: Sequence[PlannedStage], slots: Slots) -> float | None:
    """Return the seconds that stages take at least, by their recent runs; None if one that runs was never timed.

    They are those of the longest chain or of all work spread over all CPU slots, here or elsewhere, whichever takes
    longest. The stages are in an order in which none depends on a later one; what is restored from the cache takes no
    time.
    """
    timed = [stage._replace(seconds=0.0) if stage.verdict == "restore" else stage for stage in stages]
    here = away = 0.0
    for stage in timed:
        if stage.seconds is None:
            return None
        if runs_elsewhere(stage, slots):
            away += stage.seconds
        else:
            here += stage.seconds * (grant(stage, slots, {}, {}) or slots).workers
    return max(here / slots.workers, away / max(slots.elsewhere, 1), *_times_to_end(timed).values(), 0.0)


def _times_to_end(plan: Sequence[PlannedStage]) -> dict[str, float]:
    """Return for each stage the seconds from its start to the end of all that depends on it."""
    left: dict[str, float] = {}
    for stage in reversed(plan):  # a plan lists the stages before their dependents
        left[stage.name] = left.get(stage.name, 0.0) + (1.0 if stage.seconds is None else stage.seconds)
        for need in stage.needs:
            left[need] = max(left.get(need, 0.0), left[stage.name])
    return left


def detect_devices() -> tuple[str, ...]:
    """Return a value for CUDA_VISIBLE_DEVICES per usable GPU: those it allows now, else those nvidia-smi lists."""
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None:
        return tuple(part.strip() for part in allowed.split(",") if part.strip() not in ("", "-1"))
    command = shutil.which("nvidia-smi")
    if command is None:
        return ()
    listing = run_program([command, "-L"])
    devices = re.findall(r"^GPU (\d+):", listing.stdout.decode("utf-8", "replace"), flags=re.MULTILINE)
    return tuple(devices) if listing.returncode == 0 else ()
