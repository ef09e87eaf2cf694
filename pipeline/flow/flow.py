"""The flow `transferline`: DVC says what has to run, Prefect runs it beside each other and shows it.

DVC stays the only cache and the only record: the flow starts `dvc repro --single-item` for each affected stage, once,
when the stages before it have ended, and adds nothing to what that does. `dvc repro` alone gives the same bytes.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty
from typing import Any, cast
from uuid import UUID

from prefect import allow_failure, flow, get_run_logger, task
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.futures import PrefectFuture
from prefect.states import Cancelled, Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from pipeline.core.errors import PipelineError
from pipeline.core.guard import alone
from pipeline.core.progress import LINE
from pipeline.flow.branch import Publish, publish_results
from pipeline.repository import durations, outputs
from pipeline.repository import lock_file as locked
from pipeline.repository import planner as repository
from pipeline.repository.plan import Step, affected, duration, markdown
from pipeline.repository.plan import totals as expected
from pipeline.run.ending import End, Ended, results, told, totals
from pipeline.run.execution import Runs, Walk
from pipeline.run.slots import Slots, devices

STATES: dict[End, Any] = {
    "Ran": Completed,
    "Restored": Completed,
    "Unchanged": Completed,
    "Failed": Failed,
    "Blocked": Cancelled,
    "Cancelled": Cancelled,
}
# Seconds before each further attempt after "busy" and environment faults; the network needs more patience.
DELAYS = {"network": (5.0, 20.0, 60.0), "cpu": (1.0, 2.0, 4.0, 8.0), "gpu": (1.0, 2.0, 4.0, 8.0)}
SECONDS_BETWEEN_LOOKS = 1.0  # at the server: was the run cancelled there? With a stage's eight to end, less than ten
THREADS = 64


@task(task_run_name="{name}", cache_policy=NO_CACHE, persist_result=False)
def stage(name: str, work: Callable[[], Ended]) -> State[None]:
    """Show how a stage ends, by the name of its state."""
    ended = work()
    return STATES[ended.end](name=ended.end, message=told(name, ended))  # type: ignore[no-any-return]


def _work(step: Step, environment: Mapping[str, str], runs: Runs) -> Callable[[], Ended]:
    def work() -> Ended:
        ended = Ended("Failed", 1, "Prefect could not follow it")
        try:
            ended = _attempts(step, environment, runs)
        finally:
            runs.ended.put((step, ended))
        return ended

    return work


def _attempts(step: Step, environment: Mapping[str, str], runs: Runs) -> Ended:
    """Run a stage, again where that may help, and return how it ended at last."""
    for delay in (*DELAYS[step.resource], None):
        start = time.monotonic()
        ended = runs.reproduce(step, environment, Teller(step.name))
        ended = ended._replace(seconds=time.monotonic() - start)
        if ended.end == "Ran":
            durations.add(runs.root, step.name, ended.seconds)
        if not ended.again or delay is None or runs.stopped.is_set():
            break
        get_run_logger().warning("%s: %s; again in %s", step.name, ended.why, duration(delay))
        runs.stopped.wait(delay)
    return ended


class Shown:
    """The stages as Prefect shows them: tasks, each behind those it needs."""

    def __init__(self) -> None:
        """Nothing is shown yet."""
        self._futures: dict[str, PrefectFuture[Any]] = {}

    def submit(self, step: Step, work: Callable[[], Ended], ends: Mapping[str, Ended]) -> None:
        """Show a stage that does `work` behind those it needs; Prefect has nothing to decide, even if one failed."""
        ended = (need for need in step.needs if need in ends and STATES[ends[need].end] is not Cancelled)
        before = [allow_failure(self._futures[need]) for need in ended]
        self._futures[step.name] = stage.submit(step.name, work, return_state=False, wait_for=before)


class Teller:
    """Hands the words of a stage on to the log, and its progress to the page."""

    def __init__(self, stage: str) -> None:
        """Nothing is told yet."""
        self._log = get_run_logger()
        self._stage = stage
        self._artifact: UUID | None = None

    def __call__(self, line: str) -> None:
        """Tell one line."""
        self._log.info("%s", line)
        if found := LINE.search(line):
            share = 100.0 * int(found["step"]) / int(found["steps"])
            words = (
                f"{self._stage}: step {found['step']} of {found['steps']}, loss {found['loss']}, {found['left']} left"
            )
            if self._artifact is None:
                self._artifact = cast(UUID, create_progress_artifact(share, key=_key(self._stage), description=words))
            else:
                update_progress_artifact(self._artifact, share, description=words)


@flow(name="transferline", persist_result=False, task_runner=ThreadPoolTaskRunner(max_workers=THREADS))  # type: ignore[arg-type]
def transferline(
    targets: list[str] | None = None,
    workers: int | None = None,
    fail_fast: bool = False,
    refresh: bool = False,
    publish: Publish = "nothing",
) -> State[None]:
    """Run what is affected of the targets (all, if none is named), up to `workers` stages beside each other.

    `refresh` first brings the newest version of imported data. `publish` puts what the run has changed of the files
    that Git keeps on a branch of its own, `transferline/RUN`, and can open a pull request.
    """
    try:
        with alone([Path("dvc.lock")]):
            if refresh:
                outputs.refresh()
            state = _run(targets or [], Slots(workers or os.cpu_count() or 1, devices()), fail_fast=fail_fast)
            if state.is_completed():
                _publish(state, publish)
            return state
    except PipelineError as error:
        return Failed(name=type(error).__name__, message=str(error))
    except KeyboardInterrupt:
        return Cancelled(message="stopped by Ctrl-C")


def _publish(state: State[None], how: Publish) -> None:
    context = FlowRunContext.get()
    name = context.flow_run.name if context is not None and context.flow_run is not None else "run"
    message = f"Record the results of {name}\n\n{state.message}"
    commit = publish_results(outputs.tracked_by_git(), f"transferline/{name}", message, how=how)
    if commit is not None:
        get_run_logger().info("the results are on the branch transferline/%s, %s", name, commit)


def _run(targets: Sequence[str], slots: Slots, *, fail_fast: bool) -> State[None]:
    """Plan, run and show what came of it."""
    for words in locked.mend():
        get_run_logger().warning("%s", words)
    plan = repository.plan(targets)
    get_run_logger().info("%s", expected(plan))
    if not affected(plan):
        return Completed(name="Unchanged", message=f"nothing changed: {expected(plan)}")
    create_markdown_artifact(markdown(plan), key="plan", description="What this run is going to do.")
    before = locked.locked_stages()
    ends = _walk(plan, Path.cwd(), targets, slots, fail_fast=fail_fast)
    locked.settle(before, plan)
    create_markdown_artifact(results(plan, ends), key="results", description="How each stage ended.")
    _show_results()
    if all(ended.good for ended in ends.values()):
        return Completed(message=totals(ends))
    failed = any(ended.end == "Failed" for ended in ends.values())
    return Failed(message=totals(ends)) if failed else Cancelled(message=totals(ends))


def _walk(
    plan: Sequence[Step], root: Path, targets: Sequence[str], slots: Slots, *, fail_fast: bool
) -> dict[str, Ended]:
    """Bring every step to its end, and return how each ended; whatever interrupts it, nothing is left running."""
    runs, shown = Runs(root), Shown()
    walk = Walk(
        plan,
        slots,
        begin=lambda step, environment: shown.submit(step, _work(step, environment, runs), walk.ends),
        show=lambda step, ended: shown.submit(step, lambda: ended, walk.ends),
        stop=runs.stop,
    )
    look = time.monotonic()
    try:
        while walk.waiting or walk.running:
            walk.start(lambda: repository.plan(targets))
            with suppress(Empty):
                walk.end(*runs.ended.get(timeout=SECONDS_BETWEEN_LOOKS if walk.running else 0.0))
            if time.monotonic() - look > SECONDS_BETWEEN_LOOKS and _cancelled():
                walk.give_up("Cancelled")
            if fail_fast and walk.failed:
                walk.give_up("Blocked")
            look = max(look, time.monotonic() - SECONDS_BETWEEN_LOOKS)
    except BaseException:  # a Ctrl-C or a crash too: no stage outlives its run
        runs.stop()
        while walk.running:
            walk.end(*runs.ended.get())
        raise
    return {step.name: walk.ends[step.name] for step in plan}


def _cancelled() -> bool:
    """Return whether somebody has cancelled this run at the server: without a worker nobody else would act on it."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return False
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(context.flow_run.id).state
    return state is not None and (state.is_cancelling() or state.is_cancelled())


def _key(name: str) -> str:
    """Return a stage's name as Prefect takes it for a key."""
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower()).strip("-")


def _show_results() -> None:
    rows = outputs.metrics()
    if rows:
        create_table_artifact(rows, key="metrics", description="The metrics of each task.")
    for report in outputs.reports():
        create_link_artifact(report.as_uri(), link_text=report.name, key="report")
