"""Which of the stages that could start may start now: values only."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pipeline.repository.plan import Step


class Slots(NamedTuple):
    """What the machine offers: CPU slots, and the numbers of its GPUs."""

    workers: int
    devices: tuple[str, ...] = ()


class Grant(NamedTuple):
    """What a running stage holds: CPU slots and GPUs."""

    workers: int
    devices: tuple[str, ...] = ()


DOWNLOADS = 4


def grant(step: Step, slots: Slots, held: Mapping[str, Grant], running: Mapping[str, Step]) -> Grant | None:
    """Return what `step` gets beside what is held by name, or None if it has to wait.

    A GPU stage takes one GPU and one CPU slot; on a machine without a GPU it computes on all cores, so it takes all the
    slots and runs alone among those that compute. A download computes nothing: only its like are counted, four at most.
    """
    if step.resource == "network":
        beside = sum(other.resource == "network" for other in running.values())
        return Grant(0) if beside < DOWNLOADS else None
    free = slots.workers - sum(other.workers for other in held.values())
    if step.resource == "gpu" and slots.devices:
        taken = {device for other in held.values() for device in other.devices}
        device = next((device for device in slots.devices if device not in taken), None)
        return Grant(1, (device,)) if device is not None and free >= 1 else None
    wanted = slots.workers if step.resource == "gpu" else 1
    return Grant(wanted) if free >= wanted else None


def by_urgency(plan: Sequence[Step]) -> list[Step]:
    """Return the steps by the time from their start to the end of all that waits for them, longest first.

    A stage that was never timed counts a second, so that long chains still go first; equals keep their order.
    """
    left: dict[str, float] = {}
    for step in reversed(plan):  # a plan has the stages before their dependents
        left[step.name] = left.get(step.name, 0.0) + (1.0 if step.seconds is None else step.seconds)
        for need in step.needs:
            left[need] = max(left.get(need, 0.0), left[step.name])
    return sorted(plan, key=lambda step: -left[step.name])


def devices() -> tuple[str, ...]:
    """Return the numbers or names that CUDA_VISIBLE_DEVICES may have, one a GPU; what it allows now is all there is."""
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None:
        return tuple(part.strip() for part in allowed.split(",") if part.strip() not in ("", "-1"))
    command = shutil.which("nvidia-smi")
    if command is None:
        return ()
    told = subprocess.run([command, "-L"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    return tuple(re.findall(r"^GPU (\d+):", told.stdout, flags=re.MULTILINE)) if told.returncode == 0 else ()
