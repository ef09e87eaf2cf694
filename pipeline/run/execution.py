"""The way through a plan: which steps wait, run and have ended; and the stages that run, which end when asked to."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue
from threading import Event

from pipeline.repository.plan import Step
from pipeline.run.ending import End, Ended
from pipeline.run.process import Running
from pipeline.run.slots import Grant, Slots, by_urgency, grant


class Runs:
    """The stages that run now, by name; all of them end when asked to, at any moment and from any thread."""

    def __init__(self, root: Path) -> None:
        """Start with none."""
        self.root = root
        self.ended: SimpleQueue[tuple[Step, Ended]] = SimpleQueue()
        self.stopped = Event()
        self._running: dict[str, Running] = {}

    def reproduce(self, step: Step, environment: Mapping[str, str], say: Callable[[str], None]) -> Ended:
        """Run a stage to its end, within its timeout."""
        running = Running(step.name, self.root, environment, timeout=step.timeout)
        self._running[step.name] = running
        if self.stopped.is_set():
            running.release()
        try:
            return running.follow(say)
        finally:
            del self._running[step.name]

    def stop(self) -> None:
        """Let everything go; nothing that is started later runs."""
        self.stopped.set()
        for running in list(self._running.values()):
            running.release()


class Walk:
    """The way through a plan: which steps wait, run and have ended, and how."""

    def __init__(
        self,
        plan: Sequence[Step],
        slots: Slots,
        *,
        begin: Callable[[Step, Mapping[str, str]], None],
        show: Callable[[Step, Ended], None],
        stop: Callable[[], None],
    ) -> None:
        """Stand before the first step.

        `begin` starts a step with variables of its environment, `show` is told of one that ends without having run, and
        `stop` lets go of all that runs.
        """
        self.waiting = {step.name: step for step in by_urgency(plan)}
        self.running: dict[str, Step] = {}
        self.ends: dict[str, Ended] = {}
        self._known = {step.name for step in plan}
        self._held: dict[str, Grant] = {}
        self._slots, self._begin, self._tell, self._stop = slots, begin, show, stop

    @property
    def failed(self) -> bool:
        """Whether a stage failed so far."""
        return any(ended.end == "Failed" for ended in self.ends.values())

    def start(self, plan_again: Callable[[], Sequence[Step]]) -> None:
        """Start or end all that can be, until nothing moves."""
        while True:
            ready = [step for step in self.waiting.values() if self._known & set(step.needs) <= self.ends.keys()]
            if any(step.verdict == "maybe" and self._free(step) for step in ready):
                fresh = {step.name: step for step in plan_again()}
                self.waiting = {name: fresh.get(name, step) for name, step in self.waiting.items()}
                ready = [self.waiting[step.name] for step in ready]
            if not [step for step in ready if self._advance(step)]:
                return

    def _free(self, step: Step) -> bool:
        return all(self.ends[need].good for need in step.needs if need in self._known)

    def _advance(self, step: Step) -> bool:
        """Move a step on; return whether it ended at once, so that others may follow."""
        if not self._free(step):
            bad = [need for need in step.needs if need in self._known and not self.ends[need].good]
            return self._show(step, Ended("Blocked", why=f"behind {', '.join(bad)}"))
        if step.verdict == "unchanged":
            return self._show(step, Ended("Unchanged"))
        granted = grant(step, self._slots, self._held, self.running)
        if granted is not None:
            del self.waiting[step.name]
            self.running[step.name] = step
            self._held[step.name] = granted
            environment = {"CUDA_VISIBLE_DEVICES": ",".join(granted.devices)} if granted.devices else {}
            self._begin(step, environment)
        return False

    def _show(self, step: Step, ended: Ended) -> bool:
        del self.waiting[step.name]
        self.ends[step.name] = ended
        self._tell(step, ended)
        return True

    def end(self, step: Step, ended: Ended) -> None:
        """Note the end of a step that ran."""
        del self.running[step.name], self._held[step.name]
        self.ends[step.name] = ended

    def give_up(self, end: End) -> None:
        """Stop what runs; what has not begun ends like that."""
        self._stop()
        for step in list(self.waiting.values()):
            self._show(step, Ended(end, why="the run was given up"))
