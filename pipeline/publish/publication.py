"""The publication of a task's model: its files as a commit records them, and what to know before they go."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.core.document import Document, json_text
from pipeline.core.errors import UsageError
from pipeline.core.files import write_json
from pipeline.core.format import plural
from pipeline.core.versions import locked_versions
from pipeline.publish.contents import (
    BUNDLE,
    NUMBERS,
    PROVENANCE,
    PublishedFile,
    compute_content_version,
    list_contents,
    may_publish,
)
from pipeline.publish.provenance import describe_provenance, is_recorded
from pipeline.repository.freshness import StaleStage, find_stale_stages
from pipeline.repository.plan import join_reasons
from pipeline.repository.revisions import ProjectRevision, copy_dvc_files, open_revision, read_git_file

_MODEL, _CARD, _EXPORT = "data/model/{}", "data/cards/{}.md", "data/export/{}"  # kept by DVC
_PAGE = "report"  # makes the card; it comes from all tasks
_TARGETS = ("evaluate@{}", "calibrate@{}", "export@{}", _PAGE)  # the stages that make all of them
_MOST_SHOWN = 5  # stages that have yet to run


class Publication(NamedTuple):
    """What goes: the files below a folder, their version, what forbids to send them ("": nothing), and what to know."""

    task: str
    commit: str
    version: str
    files: tuple[PublishedFile, ...]
    fault: str
    notes: tuple[str, ...]


def collect_publication(task: str, at: ProjectRevision, folder: Path, *, model: str) -> Publication:
    """Write all that goes to `folder`, which is empty, as the commit records it; the card calls the model `model`.

    Nothing is read from the working tree, so neither an edit nor a half run can get into it.

    Raises:
        UsageError: The commit has no results of the task.
        EnvironmentFault: A file is in neither DVC's cache nor a remote, or is damaged.
    """
    stages = _read_locked_stages(at)
    targets = [target.format(task) for target in _TARGETS if target.format(task) in stages]
    if _TARGETS[0].format(task) not in targets:
        raise UsageError(f"{at.name}: dvc.lock has no results of {task!r}. Run `dvc repro`, and commit dvc.lock.")
    with open_revision(at) as repo:
        fault = _describe_stale(find_stale_stages(repo, targets))
        copy = partial(copy_dvc_files, repo, at)
        if not copy(_MODEL.format(task), folder):
            raise UsageError(f"{at.name}: no {_MODEL.format(task)}. Run `dvc repro`, and commit dvc.lock.")
        left_out = _copy_rest(copy, task, folder)
    notes = [f"{path} is left out: no name of a model's file" for path in left_out]
    if not (folder / "README.md").is_file():
        fault = fault or f"data/cards/{task}.md is not recorded"
    notes += _finish_card(folder / "README.md", task, model)
    for name, path in NUMBERS.items():
        if (content := read_git_file(at, path.format(task))) is not None:
            if not is_recorded(stages, path.format(task), content):
                fault = fault or f"{path.format(task)} is not as its stage left it"
            (folder / name).write_text(content, encoding="utf-8")
    origins = [target for target in targets if target != _PAGE]
    packages = locked_versions(read_git_file(at, "requirements.lock") or "")
    commit = str(at.commit)
    provenance = describe_provenance(task, commit, stages, origins, packages)
    sums = {file.path: file.sha256 for file in list_contents(folder)}
    write_json(folder / PROVENANCE, {**provenance, "files": sums})
    files = tuple(list_contents(folder))
    return Publication(task, commit, compute_content_version(files), files, fault, tuple(notes))


def _read_locked_stages(at: ProjectRevision) -> dict[str, Document]:
    """Return the stages of the commit's dvc.lock, {} if it has none.

    Raises:
        UsageError: It is not YAML.
    """
    try:
        lock = YAML(typ="safe", pure=True).load(read_git_file(at, "dvc.lock") or "")
    except YAMLError as error:
        raise UsageError(f"{at.name}: dvc.lock cannot be read, {error}. Run `dvc repro`, and commit it.") from error
    stages = lock.get("stages") if isinstance(lock, dict) else None
    return json.loads(json_text(stages)) if isinstance(stages, dict) else {}


def _describe_stale(stale: list[StaleStage]) -> str:
    if not stale:
        return ""
    stages = "; ".join(f"{stage.name}: {join_reasons(stage.reasons)}" for stage in stale[:_MOST_SHOWN])
    return f"{plural(len(stale), 'stage has', 'stages have')} yet to run, {stages}"


def _copy_rest(copy: Callable[[str, Path], bool], task: str, folder: Path) -> list[str]:
    """Write the bundle below `onnx/`, if there is one, and the card; return the files that may not go, now removed."""
    copy(_EXPORT.format(task), folder / BUNDLE)
    refused = [file.path for file in list_contents(folder) if not may_publish(file.path)]
    for path in refused:
        (folder / path).unlink()
    copy(_CARD.format(task), folder / "README.md")
    return refused


def _finish_card(path: Path, task: str, model: str) -> list[str]:
    """Have the card call the model by its new name, and return what is missing in it."""
    card = path.read_text(encoding="utf-8") if path.is_file() else ""
    path.write_text(card.replace(f'"{_MODEL.format(task)}"', f'"{model}"'), encoding="utf-8")
    head = card.partition("\n---\n")[0]
    return [] if "\nlicense:" in head else [f"the card names no licence. Set tasks.{task}.card.license if there is one"]
