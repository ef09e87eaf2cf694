"""The artifacts of a run on Prefect's pages: its plan, progress of trainings, ends of stages, metrics, reports."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import cast
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from pipeline.core.progress import LINE
from pipeline.repository.outputs import list_pages, read_metrics
from pipeline.repository.plan import PlannedStage, format_duration, plan_to_markdown
from pipeline.run.ending import StageEnd, ends_to_markdown


def show_plan(plan: Sequence[PlannedStage]) -> None:
    """Show what the run is going to do, and the unchanged stages as one table: they have no tasks."""
    unchanged = [stage for stage in plan if stage.verdict == "unchanged"]
    link = f"\n\n[{len(unchanged)} unchanged](/artifacts/key/unchanged)" if unchanged else ""
    with warn_of_client("the plan could not be shown"):
        create_markdown_artifact(plan_to_markdown(plan) + link, key="plan", description="What this run is going to do.")
        if unchanged:
            _show_unchanged(unchanged)


def show_results(plan: Sequence[PlannedStage], ends: Mapping[str, StageEnd]) -> None:
    """Show how the stages ended, the metrics of all tasks, and links to the pages."""
    rows, pages = read_metrics(), list_pages()
    with warn_of_client("the results could not be shown"):
        create_markdown_artifact(ends_to_markdown(plan, ends), key="results", description="How each stage ended.")
        if rows:
            create_table_artifact(rows, key="metrics", description="The metrics of each task.")
        for page in pages:
            create_link_artifact(page.as_uri(), link_text=page.name, key="report")


@contextmanager
def warn_of_client(problem: str) -> Iterator[None]:
    """Log a warning if a request of the body to Prefect's server fails: no run depends on what its page shows.

    A server that is gone for good ends the run by itself (`watch_server`).
    """
    try:
        yield
    except Exception as error:  # of HTTP, of Prefect or of a proxy: they have no base in common
        get_run_logger().warning("%s, %r", problem, error)


class StageLog:
    """The log of a running stage in Prefect; a training's progress is a bar on the page as well."""

    def __init__(self, stage: str) -> None:
        """Nothing is logged yet. Create it inside a task."""
        self._log = get_run_logger()
        self._stage = stage
        self._artifact: UUID | None = None

    def __call__(self, line: str) -> None:
        """Log one line of the stage's output."""
        self._log.info("%s", line)
        if progress := LINE.search(line):
            step, steps, loss, left = progress.group("step", "steps", "loss", "left")
            self._show_progress(100.0 * int(step) / int(steps), f"step {step} of {steps}, loss {loss}, {left} left")

    def _show_progress(self, percent: float, words: str) -> None:
        description = f"{self._stage}: {words}"
        with warn_of_client("the progress could not be shown"):
            if self._artifact is None:
                key = artifact_key(self._stage)
                self._artifact = cast(UUID, create_progress_artifact(percent, key=key, description=description))
            else:
                update_progress_artifact(self._artifact, percent, description=description)


def _show_unchanged(stages: Sequence[PlannedStage]) -> None:
    rows = [
        {
            "stage": stage.name,
            "state": stage.verdict,
            "recent": "" if stage.seconds is None else format_duration(stage.seconds),
        }
        for stage in stages
    ]
    spared = sum(stage.seconds or 0.0 for stage in stages)
    took = f"; their last runs took {format_duration(spared)}" if spared else ""
    why = f"Their commands, inputs, parameters and outputs are as in dvc.lock{took}."
    create_table_artifact(rows, key="unchanged", description=why)


def artifact_key(stage: str) -> str:
    """Return a stage's name as a key that Prefect accepts."""
    return "".join(letter if letter.isalnum() else "-" for letter in stage.lower()).strip("-")
