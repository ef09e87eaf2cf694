"""The execution of a plan: which stages wait, run and have ended; and the running stages, which stop on request."""

from collections.abc import Callable, Mapping, Sequence
from queue import SimpleQueue
from threading import Event
from typing import Protocol

from pipeline.core.errors import PipelineError
from pipeline.repository.plan import PlannedStage, format_duration
from pipeline.run.ending import EndState, StageEnd
from pipeline.run.slots import Slots, estimate_left, grant, sort_by_urgency


class StageJob(Protocol):
    """A running stage, wherever it runs."""

    def stop(self, why: str = ...) -> None:
        """Make it end within ten seconds; a second call does nothing."""

    def follow(self, print_line: Callable[[str], None]) -> StageEnd:
        """Hand over each line of its output, and return its end."""


class RunningStages:
    """The stages that run now; all of them can be stopped at any moment and from any thread."""

    def __init__(self, start: Callable[[PlannedStage, Mapping[str, str]], StageJob]) -> None:
        """Nothing runs yet; `start` starts a stage with additional environment variables.

        `ends` has the last end of each stage that ran.
        """
        self._start = start
        self.ended: SimpleQueue[tuple[PlannedStage, StageEnd]] = SimpleQueue()
        self.stopped = Event()
        self.ends: dict[str, StageEnd] = {}
        self._jobs: dict[str, StageJob] = {}

    def reproduce(
        self, stage: PlannedStage, environment: Mapping[str, str], print_line: Callable[[str], None]
    ) -> StageEnd:
        """Run a stage to its end, within its timeout."""
        try:
            job = self._jobs[stage.name] = self._start(stage, environment)
            if self.stopped.is_set():
                job.stop()
            self.ends[stage.name] = job.follow(print_line)
        except PipelineError as error:
            self.ends[stage.name] = StageEnd("Failed", error.exit_code, str(error))
        finally:
            self._jobs.pop(stage.name, None)
        return self.ends[stage.name]

    @property
    def active(self) -> bool:
        """Whether a stage runs."""
        return bool(self._jobs)

    def stop(self) -> None:
        """Stop everything; a stage that is started later is stopped at once."""
        self.stopped.set()
        for job in list(self._jobs.values()):
            job.stop()


class Execution:
    """The execution of a plan: the stages that wait and run, and how the others ended."""

    def __init__(
        self,
        plan: Sequence[PlannedStage],
        slots: Slots,
        *,
        begin: Callable[[PlannedStage, Mapping[str, str]], None],
        show: Callable[[PlannedStage, StageEnd], None],
        stop: Callable[[], None],
    ) -> None:
        """Nothing has started.

        `begin(stage, environment)` starts a stage with additional environment variables, `show(stage, end)` reports one
        that ended without running, and `stop()` stops all running stages.
        """
        self.waiting = {stage.name: stage for stage in sort_by_urgency(plan)}
        self.running: dict[str, PlannedStage] = {}
        self.ends: dict[str, StageEnd] = {}
        self._planned = {stage.name for stage in plan}
        self._held: dict[str, Slots] = {}
        self._slots, self._begin, self._show, self._stop = slots, begin, show, stop

    @property
    def failed(self) -> bool:
        """Whether a stage has failed so far."""
        return any(end.state == "Failed" for end in self.ends.values())

    @property
    def progress(self) -> str:
        """How many of the affected stages have begun or ended, and the time left: `[3/12], about 0:04:10 left`."""
        coming = [stage for stage in self.waiting.values() if stage.verdict != "unchanged"]
        begun = len(self.running) + sum(end.state != "Unchanged" for end in self.ends.values())
        left = estimate_left([*self.running.values(), *coming], self._slots)
        time = "time left unknown" if left is None else f"about {format_duration(left)} left"
        return f"[{begun}/{begun + len(coming)}], {time}"

    def start(self, plan_again: Callable[[], Sequence[PlannedStage]]) -> None:
        """Start or end all stages that are ready, until none is; plan again before a stage that is `maybe`."""
        while True:
            ready = [stage for stage in self.waiting.values() if self._planned & set(stage.needs) <= self.ends.keys()]
            if any(stage.verdict == "maybe" and not self._blockers(stage) for stage in ready):
                fresh = {stage.name: stage for stage in plan_again()}
                self.waiting = {name: fresh.get(name, stage) for name, stage in self.waiting.items()}
                ready = [self.waiting[stage.name] for stage in ready]
            if not [stage for stage in ready if self._advance(stage)]:
                return

    def end(self, stage: PlannedStage, end: StageEnd) -> None:
        """Record the end of a stage that ran."""
        del self.running[stage.name], self._held[stage.name]
        self.ends[stage.name] = end

    def give_up(self, state: EndState) -> None:
        """Stop the running stages; those that have not started end in `state`."""
        self._stop()
        for stage in list(self.waiting.values()):
            self._skip(stage, StageEnd(state, why="the run was given up"))

    def _blockers(self, stage: PlannedStage) -> list[str]:
        return [need for need in stage.needs if need in self._planned and not self.ends[need].succeeded]

    def _advance(self, stage: PlannedStage) -> bool:
        """Start a ready stage, end it, or leave it waiting for a slot; return whether it ended."""
        if blockers := self._blockers(stage):
            return self._skip(stage, StageEnd("Blocked", why=f"behind {', '.join(blockers)}"))
        if stage.verdict == "unchanged":
            return self._skip(stage, StageEnd("Unchanged"))
        granted = grant(stage, self._slots, self._held, self.running)
        if granted is not None:
            del self.waiting[stage.name]
            self.running[stage.name] = stage
            self._held[stage.name] = granted
            environment = {"CUDA_VISIBLE_DEVICES": ",".join(granted.devices)} if granted.devices else {}
            self._begin(stage, environment)
        return False

    def _skip(self, stage: PlannedStage, end: StageEnd) -> bool:
        del self.waiting[stage.name]
        self.ends[stage.name] = end
        self._show(stage, end)
        return True
