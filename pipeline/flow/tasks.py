"""The stages of a run as Prefect tasks: each behind those it needs, retried if that may help."""

import time
from collections.abc import Callable, Mapping
from threading import Event
from typing import Any

from prefect import allow_failure, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.states import Cancelled, Completed, Failed

from pipeline.flow.arrows import Arrows
from pipeline.flow.artifacts import StageLog
from pipeline.repository.plan import PlannedStage, format_duration
from pipeline.run.ending import EndState, StageEnd, describe_end
from pipeline.run.execution import RunningStages
from pipeline.run.slots import Slots, runs_elsewhere

STATES: dict[EndState, Any] = {
    "Ran": Completed,
    "Restored": Completed,
    "Unchanged": Completed,
    "Failed": Failed,
    "Blocked": Cancelled,
    "Cancelled": Cancelled,
}
# Seconds before each retry after "busy" and environment faults; the network needs more patience.
_HERE, _NETWORK = (1.0, 2.0, 4.0, 8.0), (5.0, 20.0, 60.0)


def list_delays(stage: PlannedStage, slots: Slots) -> tuple[float, ...]:
    """Return the seconds before each retry of a stage: more if it downloads, or exchanges its files with a remote."""
    return _NETWORK if stage.resource == "network" or runs_elsewhere(stage, slots) else _HERE


class StageTasks:
    """The tasks that Prefect shows for the stages of a run: one for each that is not unchanged."""

    def __init__(self, running: RunningStages, slots: Slots) -> None:
        """Nothing is shown yet; stages that run are started through `running`, in `slots`."""
        self._running, self._slots = running, slots
        self._futures: dict[str, PrefectFuture[Any]] = {}
        self._arrows = Arrows()

    def begin(self, stage: PlannedStage, environment: Mapping[str, str], ends: Mapping[str, StageEnd]) -> None:
        """Run a stage in a task; its end is then put into `running.ended`, whatever happens."""

        begun = Event()

        def work() -> StageEnd:
            begun.set()
            end = StageEnd("Failed", 1, "Prefect could not follow it")
            try:
                end = _run_with_retries(stage, environment, self._running, list_delays(stage, self._slots))
            finally:
                self._running.ended.put((stage, end))
            return end

        def settle(_future: PrefectFuture[Any]) -> None:
            if not begun.is_set():  # Prefect's own part of the task failed before the stage's
                self._running.ended.put((stage, StageEnd("Failed", 1, "Prefect could not start it")))

        self._submit(stage, work, ends).add_done_callback(settle)

    def show(self, stage: PlannedStage, end: StageEnd, ends: Mapping[str, StageEnd]) -> None:
        """Show a stage that ended without running; an unchanged one is no task, and arrows pass through it."""
        if end.state == "Unchanged":
            self._arrows.pass_through(stage.name, stage.needs)
        else:
            self._submit(stage, lambda: end, ends)

    def _submit(
        self, stage: PlannedStage, work: Callable[[], StageEnd], ends: Mapping[str, StageEnd]
    ) -> PrefectFuture[Any]:
        """Submit a task behind the tasks of the stages it needs, even of those that failed: Prefect decides nothing."""
        needs = (need for need in stage.needs if need in ends and STATES[ends[need].state] is not Cancelled)
        before = [allow_failure(self._futures[need]) for need in self._arrows.add(stage.name, needs)]
        named = _stage.with_options(name=stage.name)  # until a task begins, Prefect shows the name of its function
        future: PrefectFuture[Any] = named.submit(stage.name, work, return_state=False, wait_for=before)
        self._futures[stage.name] = future
        return future


@task(name="stage", task_run_name="{name}", cache_policy=NO_CACHE, persist_result=False)
def _stage(name: str, work: Callable[[], StageEnd]) -> State[None]:
    """Return the end of a stage as a state of that name."""
    end = work()
    return STATES[end.state](name=end.state, message=describe_end(name, end))  # type: ignore[no-any-return]


def _run_with_retries(
    stage: PlannedStage, environment: Mapping[str, str], running: RunningStages, delays: tuple[float, ...]
) -> StageEnd:
    """Run a stage, retry it after each of the delays if that may help, and return its last end."""
    for delay in (*delays, None):
        start = time.monotonic()
        end = running.reproduce(stage, environment, StageLog(stage.name))
        end = end._replace(seconds=time.monotonic() - start)
        if not end.retryable or delay is None or running.stopped.is_set():
            break
        get_run_logger().warning("%s: %s; retrying in %s", stage.name, end.why, format_duration(delay))
        running.stopped.wait(delay)
    return end
