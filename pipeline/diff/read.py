"""The reader of revisions: files out of Git, tables out of DVC's cache or remote, stage times out of worktrees."""

import hashlib
import json
from collections.abc import Collection, Iterable

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.core.document import Document
from pipeline.core.errors import UsageError
from pipeline.core.versions import locked_versions
from pipeline.diff.changes import flatten
from pipeline.diff.document import Side
from pipeline.diff.snapshot import Rules, Snapshot, TaskSnapshot
from pipeline.repository.durations import read_durations
from pipeline.repository.revisions import ProjectRevision, list_worktrees, read_dvc_tables, read_git_file
from pipeline.settings.parse import parse_params
from pipeline.settings.resolve import resolve_params
from pipeline.settings.task import EvaluateParams, Gates

PARAMS_FILE, PROFILES_FILE, CODE_FILE = "params.yaml", "data/profiles.json", "data/code.json"
LOCK_FILE, PACKAGES_FILE = "dvc.lock", "requirements.lock"
METRICS_FILE, FINDINGS_FILE, HISTORY_FILE = "data/metrics/{}.json", "data/findings/{}.json", "data/history/{}.json"
PREDICTIONS_FILE, EXAMPLES_FILE = "data/predictions/{}.parquet", "data/examples/{}.parquet"


def read_snapshots(base: ProjectRevision, head: ProjectRevision) -> tuple[Snapshot, Snapshot]:
    """Return both revisions with every task that either of them has.

    The base may be from a time when params.yaml had other keys: it then has no rules, but still its metrics.

    Raises:
        UsageError: The params of the head are missing or invalid.
        EnvironmentFault: Git or DVC cannot be read.
    """
    head_rules = _read_rules(head)
    try:
        base_rules = _read_rules(base)
        base_tasks: Collection[str] = base_rules
    except UsageError:
        base_rules, base_tasks = {}, _list_tasks(base)
    tasks = list(dict.fromkeys((*head_rules, *base_rules)))
    return _read_snapshot(base, base_rules, tasks, base_tasks), _read_snapshot(head, head_rules, tasks, head_rules)


def _read_snapshot(
    revision: ProjectRevision, rules: dict[str, Rules], tasks: list[str], listed: Collection[str]
) -> Snapshot:
    code = _read_json(revision, CODE_FILE)[0] or {}
    return Snapshot(
        side=Side(name=revision.name[:200], commit=revision.commit),
        rules=rules,
        tasks=_read_tasks(revision, tasks, listed),
        parameters=_read_parameters(revision),
        packages=locked_versions(read_git_file(revision, PACKAGES_FILE) or ""),
        code={str(stage): str(fingerprint) for stage, fingerprint in code.items()},
        times=next((times for folder in list_worktrees(revision) if (times := read_durations(folder))), {}),
    )


# ------------------------------------------------------------------------------------------------ params.yaml
def _read_rules(revision: ProjectRevision) -> dict[str, Rules]:
    """Return the rules of each task, in order.

    Raises:
        UsageError: The params are missing or invalid.
    """
    content = read_git_file(revision, PARAMS_FILE)
    if content is None:
        raise UsageError(f"{revision.name}: {PARAMS_FILE} not found. Name a revision that has it.")
    resolved = resolve_params(content, _read_json(revision, PROFILES_FILE)[0] or {})
    return {
        task: Rules(
            EvaluateParams.model_validate_json(json.dumps(section)),
            Gates.model_validate_json(json.dumps(resolved["gates"][task])),
        )
        for task, section in resolved["evaluate"].items()
    }


def _list_tasks(revision: ProjectRevision) -> set[str]:
    """Return the names of the tasks of a params.yaml that is not valid today."""
    return {key.split(".")[1] for key in _read_parameters(revision) if key.startswith("tasks.")}


def _read_parameters(revision: ProjectRevision) -> dict[str, str]:
    """Return params.yaml as `{dotted key: value}`, empty if it is not a map."""
    try:
        return flatten(parse_params(read_git_file(revision, PARAMS_FILE) or "")[0])
    except UsageError:
        return {}


# ------------------------------------------------------------------------------------------------ tasks
def _read_tasks(revision: ProjectRevision, tasks: Iterable[str], listed: Collection[str]) -> dict[str, TaskSnapshot]:
    """Return all that a revision holds of each task; tables only of tasks that have metrics."""
    lock = _read_lock(revision)
    metrics = {task: _read_json(revision, METRICS_FILE.format(task)) for task in tasks}
    measured = [task for task, (document, _) in metrics.items() if document is not None]
    paths = [path.format(task) for task in measured for path in (PREDICTIONS_FILE, EXAMPLES_FILE)]
    tables = read_dvc_tables(revision, paths) if paths else {}
    snapshots = {}
    for task, (document, fault) in metrics.items():
        path, entry = METRICS_FILE.format(task), lock.get(f"evaluate@{task}", {})
        predictions, examples = (tables.get(file.format(task)) for file in (PREDICTIONS_FILE, EXAMPLES_FILE))
        faults = (fault, f"no usable predictions: {predictions}" if isinstance(predictions, str) else None)
        snapshots[task] = TaskSnapshot(
            listed=task in listed,
            recorded=_checksum(entry, "outs", path) == _md5(read_git_file(revision, path)),
            made_from=_checksum(entry, "deps", EXAMPLES_FILE.format(task)),
            metrics=document,
            predictions=None if isinstance(predictions, str) else predictions,
            examples=None if isinstance(examples, str) else examples,
            findings=_read_json(revision, FINDINGS_FILE.format(task))[0],
            history=_read_json(revision, HISTORY_FILE.format(task))[0],
            faults=tuple(filter(None, faults)),
        )
    return snapshots


def _read_json(revision: ProjectRevision, path: str) -> tuple[Document | None, str | None]:
    """Return a committed JSON object, and its fault; a NaN or infinity in it is read as null, with a fault."""
    content = read_git_file(revision, path)
    constants: list[str] = []
    if content is None:
        return None, f"no {path}"
    try:
        value = json.loads(content, parse_constant=constants.append)
    except ValueError:
        return None, f"an invalid {path}: not JSON"
    if not isinstance(value, dict):
        return None, f"an invalid {path}: not a JSON object"
    return value, f"{constants[0]} in {path}, read as missing" if constants else None


def _read_lock(revision: ProjectRevision) -> Document:
    """Return the stages of dvc.lock, empty if it cannot be read."""
    try:
        lock = YAML(typ="safe").load(read_git_file(revision, LOCK_FILE) or "")
    except YAMLError:
        return {}
    stages = lock.get("stages") if isinstance(lock, dict) else None
    return stages if isinstance(stages, dict) else {}


def _checksum(entry: Document, kind: str, path: str) -> str | None:
    """Return the checksum that a stage of dvc.lock records for a path."""
    return next((str(item.get("md5")) for item in entry.get(kind, ()) if item.get("path") == path), None)


def _md5(content: str | None) -> str | None:
    """Return the checksum that DVC gives a file, None if there is none."""
    return None if content is None else hashlib.md5(content.encode(), usedforsecurity=False).hexdigest()
