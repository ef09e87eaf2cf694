"""The reader of revisions: files out of Git, tables out of DVC's cache or remote, stage times out of worktrees."""

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.core.document import Document
from pipeline.core.errors import UsageError
from pipeline.core.stage import load_facet, load_facets
from pipeline.core.versions import locked_versions
from pipeline.diff.changes import flatten, sanitize
from pipeline.diff.document import MOST_ROWS, AffectedStage, Side
from pipeline.diff.snapshot import Rules, Snapshot, TaskSnapshot
from pipeline.repository.durations import read_durations
from pipeline.repository.freshness import StaleStage, find_stale_stages
from pipeline.repository.plan import join_reasons
from pipeline.repository.revisions import (
    ProjectRevision,
    list_worktrees,
    open_revision,
    read_dvc_tables,
    read_git_file,
)
from pipeline.settings.parse import parse_params
from pipeline.settings.problems import Problems
from pipeline.settings.resolve import resolve_params
from pipeline.settings.section import check_name

PARAMS_FILE, PROFILES_FILE, CODE_FILE = "params.yaml", "data/profiles.json", "data/code.json"
LOCK_FILE, PACKAGES_FILE = "dvc.lock", "requirements.lock"
STAGE = "evaluate@{}"  # the stage that measures a task
METRICS_FILE, FINDINGS_FILE, HISTORY_FILE = "data/metrics/{}.json", "data/findings/{}.json", "data/history/{}.json"
PREDICTIONS_FILE, EXAMPLES_FILE = "data/predictions/{}.parquet", "data/examples/{}.parquet"


def read_snapshots(base: ProjectRevision, head: ProjectRevision) -> tuple[Snapshot, Snapshot]:
    """Return both revisions with every task that either of them has.

    The base may be from a time when params.yaml had other keys: it then has no rules, but still its metrics.

    Raises:
        UsageError: The params of the head are missing or invalid.
        EnvironmentFault: Git or DVC cannot be read.
    """
    old, new = CommittedTexts(base), CommittedTexts(head)
    head_rules = _read_rules(new)
    try:
        base_rules = _read_rules(old)
        base_tasks: Collection[str] = base_rules
    except UsageError:
        base_rules, base_tasks = {}, _list_tasks(old)
    tasks = list(dict.fromkeys((*head_rules, *base_rules)))
    return (
        _read_snapshot(old, base_rules, tasks, base_tasks, due=()),
        _read_snapshot(new, head_rules, tasks, head_rules, due=head_rules),
    )


class CommittedTexts:
    """The texts that Git keeps of a revision; each is read once."""

    def __init__(self, revision: ProjectRevision) -> None:
        """Start with nothing read."""
        self.revision = revision
        self._texts: dict[str, str | None] = {}

    def read(self, path: str) -> str | None:
        """Return a text; None if there is none, or it is not UTF-8."""
        if path not in self._texts:
            self._texts[path] = read_git_file(self.revision, path)
        return self._texts[path]


def _read_snapshot(
    texts: CommittedTexts, rules: dict[str, Rules], tasks: list[str], listed: Collection[str], *, due: Collection[str]
) -> Snapshot:
    code = _read_json(texts, CODE_FILE)[0] or {}
    held, stale = _read_tasks(texts, tasks, listed, due)
    return Snapshot(
        side=Side(name=texts.revision.name[:200], commit=texts.revision.commit, stale=_describe_stale(stale)),
        rules=rules,
        tasks=held,
        parameters=_read_parameters(texts),
        packages=locked_versions(texts.read(PACKAGES_FILE) or ""),
        code={
            name: str(own) for name, own in code.items() if isinstance(own, str | dict) and check_name(name, Problems())
        },
        times=next((times for folder in list_worktrees(texts.revision) if (times := read_durations(folder))), {}),
    )


# ------------------------------------------------------------------------------------------------ params.yaml
def _read_rules(texts: CommittedTexts) -> dict[str, Rules]:
    """Return the rules of each task, in order.

    Raises:
        UsageError: The params are missing or invalid.
    """
    content = texts.read(PARAMS_FILE)
    if content is None:
        raise UsageError(f"{texts.revision.name}: {PARAMS_FILE} not found. Name a revision that has it.")
    resolved = resolve_params(content, load_facets("settings"), _read_json(texts, PROFILES_FILE)[0] or {})
    return {task: _read_task_rules(resolved, task) for task in resolved["evaluate"]}


def _read_task_rules(resolved: Document, task: str) -> Rules:
    kind = resolved["kinds"][task]
    sections, measures = load_facet(kind, "settings").sections, load_facet(kind, "measures")
    params, gates = (
        sections[name].model_validate_json(json.dumps(resolved[name][task])) for name in ("evaluate", "gates")
    )
    return Rules(measures, params, {metric.name: getattr(gates, metric.name) for metric in measures.metrics})


def _list_tasks(texts: CommittedTexts) -> set[str]:
    """Return the names of the tasks of a params.yaml that is not valid today."""
    return {key.split(".")[1] for key in _read_parameters(texts) if key.startswith("tasks.")}


def _read_parameters(texts: CommittedTexts) -> dict[str, str]:
    """Return params.yaml as `{dotted key: value}`, empty if it is not a map."""
    try:
        return flatten(parse_params(texts.read(PARAMS_FILE) or "")[0])
    except UsageError:
        return {}


# ------------------------------------------------------------------------------------------------ tasks
def _read_tasks(
    texts: CommittedTexts, tasks: Iterable[str], listed: Collection[str], due: Collection[str]
) -> tuple[dict[str, TaskSnapshot], list[StaleStage]]:
    """Return all that a revision holds of each task (tables only of tasks that have metrics), and the stale stages.

    Only stages that a task's metrics depend on count, and only of tasks that are `due` or have metrics.
    """
    lock = _read_lock(texts)
    metrics = {task: _read_json(texts, METRICS_FILE.format(task)) for task in tasks}
    measured = [task for task, (document, _) in metrics.items() if document is not None]
    paths = [path.format(task) for task in measured for path in (PREDICTIONS_FILE, EXAMPLES_FILE)]
    targets = [STAGE.format(task) for task in metrics if task in listed and task in (*measured, *due)]
    with open_revision(texts.revision) as repo:
        stale = find_stale_stages(repo, targets)
        tables = read_dvc_tables(repo, texts.revision, paths)
    names = {stage.name for stage in stale}
    snapshots = {}
    for task, (document, fault) in metrics.items():
        path, entry = METRICS_FILE.format(task), lock.get(STAGE.format(task), {})
        predictions, examples = (tables.get(file.format(task)) for file in (PREDICTIONS_FILE, EXAMPLES_FILE))
        faults = (fault, f"no usable predictions: {predictions}" if isinstance(predictions, str) else None)
        snapshots[task] = TaskSnapshot(
            listed=task in listed,
            stale=STAGE.format(task) in names,
            recorded=_checksum(entry, "outs", path) == _md5(texts.read(path)),
            made_from=_checksum(entry, "deps", EXAMPLES_FILE.format(task)),
            metrics=document,
            predictions=None if isinstance(predictions, str) else predictions,
            examples=None if isinstance(examples, str) else examples,
            findings=_read_json(texts, FINDINGS_FILE.format(task))[0],
            history=_read_json(texts, HISTORY_FILE.format(task))[0],
            faults=tuple(filter(None, faults)),
        )
    return snapshots, stale


def _describe_stale(stages: Sequence[StaleStage]) -> tuple[AffectedStage, ...]:
    """Return the stale stages with their reasons in words, at most `MOST_ROWS`."""
    return tuple(
        AffectedStage(stage=sanitize(stage.name), reasons=sanitize(join_reasons(stage.reasons)))
        for stage in stages[:MOST_ROWS]
    )


def _read_json(texts: CommittedTexts, path: str) -> tuple[Document | None, str | None]:
    """Return a committed JSON object, and its fault; a NaN or infinity in it is read as null, with a fault."""
    content = texts.read(path)
    constants: list[str] = []
    if content is None:
        return None, f"no {path}"
    try:
        value = json.loads(content, parse_constant=constants.append)
    except (ValueError, RecursionError):
        return None, f"an invalid {path}: not JSON"
    if not isinstance(value, dict):
        return None, f"an invalid {path}: not a JSON object"
    return value, f"{constants[0]} in {path}, read as missing" if constants else None


def _read_lock(texts: CommittedTexts) -> Document:
    """Return the stages of dvc.lock, empty if it cannot be read."""
    try:
        lock = YAML(typ="safe").load(texts.read(LOCK_FILE) or "")
    except (YAMLError, ValueError, RecursionError):
        return {}
    stages = lock.get("stages") if isinstance(lock, dict) else None
    return stages if isinstance(stages, dict) else {}


def _checksum(entry: Document, kind: str, path: str) -> str | None:
    """Return the checksum that a stage of dvc.lock records for a path."""
    return next((str(item.get("md5")) for item in entry.get(kind, ()) if item.get("path") == path), None)


def _md5(content: str | None) -> str | None:
    """Return the checksum that DVC gives a file, None if there is none."""
    return None if content is None else hashlib.md5(content.encode(), usedforsecurity=False).hexdigest()
