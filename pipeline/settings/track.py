"""The section of `track`: the trackers of experiments that are sent each run, and what a task is known by."""

from typing import Any, Literal, get_args

from pipeline.core.document import Document, Strict
from pipeline.settings.fields import Name, Text
from pipeline.settings.problems import Problems, describe_unknown

Tracker = Literal["mlflow"]
SHOWN = ("ingest", "tokenize", "finetune", "evaluate")  # the sections of a task that its run is known by
NOT_SHOWN = ("task", "corrected")


class TrackParams(Strict):
    """The parameters of a tracker; `tasks` are the settings to show of each task."""

    tracker: Tracker
    title: Text
    tasks: dict[Name, dict[str, Any]]


def resolve_track(raw: Document, resolved: Document, encoders: dict[str, Any], problems: Problems) -> Document:
    """Return the section of each tracker in the list `track`; `encoders` are the folders of each task's encoder."""
    trackers, known = raw.get("track"), get_args(Tracker)
    if not isinstance(trackers, list):
        problems.add("track", f"must be a list of {', '.join(known)}, or [] for none, found {trackers!r}")
        return {}
    for place, tracker in enumerate(trackers):
        if tracker not in known:
            problems.add("track", describe_unknown(str(tracker), known, kind="tracker"))
        elif tracker in trackers[:place]:
            problems.add("track", f"must name each tracker once, found {tracker!r} twice")
    tasks = {task: {"encoder": encoder, **_show(resolved, task)} for task, encoder in encoders.items()}
    title = resolved["report"].get("title", "")
    return {str(tracker): {"tracker": tracker, "title": title, "tasks": tasks} for tracker in trackers}


def _show(resolved: Document, task: str) -> Document:
    return {
        stage: {key: value for key, value in resolved[stage][task].items() if key not in NOT_SHOWN} for stage in SHOWN
    }
