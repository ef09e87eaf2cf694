"""The flow `transferline`: DVC decides what has to run, Prefect runs it in parallel and shows it.

DVC stays the only cache and the only record: the flow starts `dvc repro --single-item` once for each affected stage,
after the stages it depends on have ended, and adds nothing to what that does. `dvc repro` alone gives the same bytes.
"""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty
from typing import NoReturn

from prefect import flow, get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.exceptions import TerminationSignal
from prefect.settings import get_current_settings
from prefect.states import Cancelled, Cancelling, Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from pipeline.core.errors import EnvironmentFault, PipelineError, UsageError
from pipeline.core.guard import lock_outputs
from pipeline.flow.artifacts import show_plan, show_results, warn_of_client
from pipeline.flow.branch import Publish, publish_results
from pipeline.flow.server import watch_server
from pipeline.flow.tasks import StageTasks
from pipeline.repository.lock_file import list_locked_stages, repair, restore_order
from pipeline.repository.outputs import list_git_paths, refresh_imports
from pipeline.repository.plan import PlannedStage, list_affected, summarize_plan
from pipeline.repository.planner import plan_stages
from pipeline.run.ending import StageEnd, describe_end, summarize_ends
from pipeline.run.execution import Execution, RunningStages
from pipeline.run.places.place import StagePlace, open_place
from pipeline.run.slots import Slots, detect_devices

# How often the server is asked if the run was cancelled. With the eight seconds a stage has to end, it stays below ten.
SECONDS_BETWEEN_POLLS = 1.0
SECONDS_TO_STOP_ALL = 10.0
THREADS = 64


@flow(name="transferline", persist_result=False, task_runner=ThreadPoolTaskRunner(max_workers=THREADS))  # type: ignore[arg-type]
def transferline(
    targets: list[str] | None = None,
    workers: int | None = None,
    fail_fast: bool = False,
    refresh: bool = False,
    publish: Publish = "nothing",
    on: str | None = None,
) -> State[None]:
    """Run the affected stages among the targets (among all, if none is named), up to `workers` in parallel.

    `refresh` first fetches the newest version of imported data. `publish` commits the changed files that Git keeps to a
    branch of the run's own, `transferline/RUN`, and can open a pull request. The stages that compute run on the workers
    of the Dask scheduler at the address `on`, if that is given.
    """
    try:
        if workers is not None and workers < 1:
            raise UsageError(f"workers: less than 1, {workers}. Set a number of at least 1.")  # noqa: TRY301
        with lock_outputs([Path("dvc.lock")]):
            if refresh:
                refresh_imports()
            slots = Slots(workers or os.cpu_count() or 1, detect_devices())
            state = _run(targets or [], slots, on, fail_fast=fail_fast)
            if state.is_completed():
                _publish(state, publish)
            return state
    except PipelineError as error:
        return Failed(name=type(error).__name__, message=str(error))
    except KeyboardInterrupt:
        return Cancelled(message="stopped by Ctrl-C")
    except TerminationSignal:  # the worker's, as a rule: it sets the run's last state after this process has ended
        _note_state(Cancelling(message="every stage has been stopped"))
        raise
    except Exception as error:  # a fault of this code: the run ends as failed, and the command exits with 70
        get_run_logger().exception("the run broke")
        return Failed(name="Broken", message=f"a fault of the pipeline itself, {error!r}. Report it with the log.")


def _run(targets: Sequence[str], slots: Slots, on: str | None, *, fail_fast: bool) -> State[None]:
    """Plan, execute and show the results."""
    for line in repair():
        get_run_logger().warning("%s", line)
    plan = plan_stages(targets)
    get_run_logger().info("%s", summarize_plan(plan))
    if not list_affected(plan):
        return Completed(name="Unchanged", message=f"nothing changed: {summarize_plan(plan)}")
    with open_place(on) as place:
        if on:  # HEAD may have moved since the plan was made: the workers have its code
            plan = plan_stages(targets)
        ends = _execute_and_show(plan, place, targets, slots._replace(elsewhere=place.elsewhere), fail_fast=fail_fast)
    if all(end.succeeded for end in ends.values()):
        return Completed(message=summarize_ends(ends))
    failed = any(end.state == "Failed" for end in ends.values())
    return Failed(message=summarize_ends(ends)) if failed else Cancelled(message=summarize_ends(ends))


def _execute_and_show(
    plan: Sequence[PlannedStage], place: StagePlace, targets: Sequence[str], slots: Slots, *, fail_fast: bool
) -> dict[str, StageEnd]:
    """Bring every stage to its end, show the plan before and the results after, and leave dvc.lock in DVC's order."""
    before, running = list_locked_stages(), RunningStages(place.start)
    with watch_server(get_current_settings().api.url, lambda: _abandon(running, before, plan)):
        show_plan(plan)
        try:
            ends = _execute(plan, running, targets, slots, fail_fast=fail_fast)
        finally:  # a run that was interrupted has recorded stages too
            restore_order(before, plan)
        show_results(plan, ends)
    return ends


def _execute(
    plan: Sequence[PlannedStage], running: RunningStages, targets: Sequence[str], slots: Slots, *, fail_fast: bool
) -> dict[str, StageEnd]:
    """Bring every stage to its end, and return the ends by name; if interrupted, leave nothing running."""
    tasks = StageTasks(running, slots)

    def begin(stage: PlannedStage, environment: Mapping[str, str]) -> None:
        get_run_logger().info("%s: %s", execution.progress, stage.name)
        tasks.begin(stage, environment, execution.ends)

    execution = Execution(
        plan,
        slots,
        begin=begin,
        show=lambda stage, end: tasks.show(stage, end, execution.ends),
        stop=running.stop,
    )
    next_poll = time.monotonic() + SECONDS_BETWEEN_POLLS
    try:
        while execution.waiting or execution.running:
            execution.start(lambda: plan_stages(targets))
            with suppress(Empty):
                patience = max(0.0, next_poll - time.monotonic()) if execution.running else 0.0
                execution.end(*running.ended.get(timeout=patience))
            if time.monotonic() >= next_poll:
                if _is_cancelled():
                    execution.give_up("Cancelled")
                next_poll = time.monotonic() + SECONDS_BETWEEN_POLLS
            if fail_fast and execution.failed:
                execution.give_up("Blocked")
    except BaseException:  # a Ctrl-C or a crash too: no stage outlives its run
        running.stop()
        with suppress(Empty):  # of a stage that was just being submitted, no end comes
            while execution.running:
                execution.end(*running.ended.get(timeout=SECONDS_TO_STOP_ALL))
        raise
    return {stage.name: execution.ends[stage.name] for stage in plan}


def _abandon(running: RunningStages, before: Sequence[str], plan: Sequence[PlannedStage]) -> NoReturn:
    """Stop everything and end this process: without its server, Prefect would wait in each call for minutes."""
    try:
        running.stop()
        end = time.monotonic() + SECONDS_TO_STOP_ALL
        while running.active and time.monotonic() < end:
            time.sleep(0.1)
        restore_order(before, plan)
        ends = [describe_end(name, end) for name, end in running.ends.items()]
        summary = f"run: Prefect's server does not answer any more; {summarize_ends(running.ends)}. Run again."
        print(summary, *ends, sep="\n  ", file=sys.stderr, flush=True)
    finally:
        os._exit(EnvironmentFault.exit_code)


def _is_cancelled() -> bool:
    """Return whether this run was cancelled at the server: without a worker, nothing else would act on that."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return False
    state = None
    with warn_of_client("the state of the run could not be read"), get_client(sync_client=True) as client:
        state = client.read_flow_run(context.flow_run.id).state
    return state is not None and (state.is_cancelling() or state.is_cancelled())


def _note_state(state: State[None]) -> None:
    """Have Prefect's log end with `state`, and not with the one in which the run began; the server is not told."""
    context = FlowRunContext.get()
    if context is not None and context.flow_run is not None:
        context.flow_run.state = state


def _publish(state: State[None], how: Publish) -> None:
    context = FlowRunContext.get()
    name = context.flow_run.name if context is not None and context.flow_run is not None else "run"
    message = f"Record the results of {name}\n\n{state.message}"
    commit = publish_results(list_git_paths(), f"transferline/{name}", message, how=how)
    if commit is not None:
        get_run_logger().info("the results are on the branch transferline/%s, %s", name, commit)
