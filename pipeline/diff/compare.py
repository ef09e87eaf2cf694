"""The difference of two revisions: what a change did to each task, and whether its gates let it pass."""

import hashlib
import json
from collections.abc import Collection, Sequence

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.core.document import Document
from pipeline.core.errors import UsageError
from pipeline.core.versions import locked_versions
from pipeline.diff.changes import changes, flat
from pipeline.diff.document import MOST_ROWS, MOST_TASKS, Change, Difference, Side, worst
from pipeline.diff.evidence import TaskSide
from pipeline.diff.task import contrast
from pipeline.repository.durations import lately
from pipeline.repository.revisions import Revision, checked_out, tables, text
from pipeline.settings.resolve import parse, resolve
from pipeline.settings.task import EvaluateParams, Gates

SETTINGS, PROFILES, LOCK, PACKAGES = "params.yaml", "data/profiles.json", "dvc.lock", "requirements.lock"
CODE = "data/code.json"
METRICS, FINDINGS, HISTORY = "data/metrics/{}.json", "data/findings/{}.json", "data/history/{}.json"
PREDICTIONS, EXAMPLES = "data/predictions/{}.parquet", "data/examples/{}.parquet"


def difference(base: Revision, head: Revision) -> Difference:
    """Return what the head changed against the base.

    Raises:
        UsageError: The params of the head are missing or wrong.
        EnvironmentFault: Git or DVC cannot be read.
    """
    after, before = _resolved(head), _resolved_or_none(base)
    known = before["evaluate"] if before else _tasks(base)
    names = list(dict.fromkeys((*after["evaluate"], *(before["evaluate"] if before else ()))))
    old, new = _sides(base, names, known), _sides(head, names, after["evaluate"])
    tasks = []
    for name in names[:MOST_TASKS]:
        own = after if name in after["evaluate"] or before is None else before
        params = EvaluateParams.model_validate_json(json.dumps(own["evaluate"][name]))
        gates = Gates.model_validate_json(json.dumps(own["gates"][name]))
        tasks.append(contrast(params, gates, old[name], new[name]))
    parameters = changes(_settings(base), _settings(head))
    packages = changes(_packages(base), _packages(head))
    shown = ((names, MOST_TASKS), (parameters, MOST_ROWS), (packages, MOST_ROWS))
    return Difference(
        version=1,
        base=Side(name=base.name[:200], commit=base.commit),
        head=Side(name=head.name[:200], commit=head.commit),
        outcome=worst(tuple(task.outcome for task in tasks)),
        confidence=next((own["confidence"] for own in after["evaluate"].values()), 0.95),
        tasks=tuple(tasks),
        parameters=tuple(parameters[:MOST_ROWS]),
        packages=tuple(packages[:MOST_ROWS]),
        code=tuple(change.name for change in changes(_code(base), _code(head))),
        times=tuple(_slower_or_faster(base, head)[:MOST_ROWS]),
        left_out=sum(max(0, len(listed) - most) for listed, most in shown),
    )


# ------------------------------------------------------------------------------------------------ params
def _resolved(at: Revision) -> Document:
    content = text(at, SETTINGS)
    if content is None:
        raise UsageError(f"{at.name} has no {SETTINGS}")
    return resolve(content, _json(at, PROFILES)[0] or {})


def _resolved_or_none(at: Revision) -> Document | None:
    """Return the params of the base; an older project may have other keys, and still has its metrics."""
    try:
        return _resolved(at)
    except UsageError:
        return None


def _tasks(at: Revision) -> Collection[str]:
    """Return the names of the tasks of a params.yaml that is not valid today."""
    return {name.split(".")[1] for name in _settings(at) if name.startswith("tasks.")}


def _settings(at: Revision) -> dict[str, str]:
    """Return params.yaml as `{dotted key: value}`; nothing where it is no map."""
    try:
        return flat(parse(text(at, SETTINGS) or "")[0])
    except UsageError:
        return {}


def _packages(at: Revision) -> dict[str, str]:
    return locked_versions(text(at, PACKAGES) or "")


def _code(at: Revision) -> dict[str, str]:
    """Return the fingerprint of each stage's code."""
    return {str(stage): str(one) for stage, one in (_json(at, CODE)[0] or {}).items()}


def _slower_or_faster(base: Revision, head: Revision) -> list[Change]:
    """Return the stages that took longer or shorter by a quarter and a second, where both revisions ran in a worktree.

    Times are of a machine and not of a commit: they lie beside the worktree that ran, and nowhere in Git.
    """
    old, new = _times(base), _times(head)
    moved = [stage for stage in new if stage in old and abs(new[stage] - old[stage]) > max(1.0, old[stage] / 4)]
    return changes({one: f"{old[one]:.1f} s" for one in moved}, {one: f"{new[one]:.1f} s" for one in moved})


def _times(at: Revision) -> dict[str, float]:
    return next((found for folder in checked_out(at) if (found := lately(folder))), {})


# ------------------------------------------------------------------------------------------------ tasks
def _sides(at: Revision, names: Sequence[str], listed: Collection[str]) -> dict[str, TaskSide]:
    """Return what a revision holds of each task."""
    lock = _lock(at)
    metrics = {name: _json(at, METRICS.format(name)) for name in names}
    there = [name for name in names if metrics[name][0] is not None]
    kept = tables(at, [path.format(name) for name in there for path in (PREDICTIONS, EXAMPLES)]) if there else {}
    found = {}
    for name in names:
        predictions, examples = (kept.get(path.format(name)) for path in (PREDICTIONS, EXAMPLES))
        entry = lock.get(f"evaluate@{name}", {})
        faults = [metrics[name][1], f"predictions {predictions}" if isinstance(predictions, str) else None]
        found[name] = TaskSide(
            listed=name in listed,
            recorded=_checksum(entry, "outs", METRICS.format(name)) == _md5(text(at, METRICS.format(name))),
            made_from=_checksum(entry, "deps", EXAMPLES.format(name)),
            metrics=metrics[name][0],
            predictions=None if isinstance(predictions, str) else predictions,
            examples=None if isinstance(examples, str) else examples,
            findings=_json(at, FINDINGS.format(name))[0],
            history=_json(at, HISTORY.format(name))[0],
            faults=tuple(fault for fault in faults if fault),
        )
    return found


def _json(at: Revision, path: str) -> tuple[Document | None, str | None]:
    """Return a committed JSON map and what is wrong with it; a NaN in it is null, and said."""
    content = text(at, path)
    constants: list[str] = []
    if content is None:
        return None, f"no {path}"
    try:
        value = json.loads(content, parse_constant=constants.append)
    except ValueError:
        return None, f"a {path} that is not JSON"
    if not isinstance(value, dict):
        return None, f"a {path} that is no map"
    return value, f"{constants[0]} in {path}, which is no number" if constants else None


def _lock(at: Revision) -> Document:
    """Return the stages of dvc.lock; none where it cannot be read."""
    try:
        found = YAML(typ="safe").load(text(at, LOCK) or "")
    except YAMLError:
        return {}
    stages = found.get("stages") if isinstance(found, dict) else None
    return stages if isinstance(stages, dict) else {}


def _checksum(entry: Document, kind: str, path: str) -> str | None:
    """Return the checksum that a stage of dvc.lock records of a path."""
    return next((str(one.get("md5")) for one in entry.get(kind, ()) if one.get("path") == path), None)


def _md5(content: str | None) -> str | None:
    """Return the checksum that DVC gives a file; None where there is none."""
    return None if content is None else hashlib.md5(content.encode(), usedforsecurity=False).hexdigest()
