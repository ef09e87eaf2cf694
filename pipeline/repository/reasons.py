"""The reasons for which DVC considers a stage changed, with those that earlier stages of the plan will cause."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dvc.dependency.param import ParamsDependency, read_param_file
from dvc.output import Output
from dvc.stage import PipelineStage, Stage

from pipeline.repository.forecast import Content, Future, find_overlaps, forecast_content
from pipeline.repository.plan import StageReason


def find_reasons(stage: Stage, future: Future) -> tuple[list[StageReason], list[str]]:
    """Return why a stage is certainly changed, and the names of the stages whose output must be known first."""
    reasons: list[StageReason] = []
    unknown: list[str] = []
    if stage.changed_stage():
        reasons.append(StageReason("command", "", old=True))
    if (stage.is_callback or stage.always_changed) and not stage.frozen:
        reasons.append(StageReason("output", "always", new="changes"))
    if isinstance(stage, PipelineStage) and not stage.frozen and never_ran(stage):
        unknown = [name for dep in stage.deps for name in _unknown_producers(dep, future)]
        return [StageReason("command", "", old=False)], list(dict.fromkeys(unknown))
    for dep in () if stage.frozen else stage.deps:
        differences = compare_dependency(dep, future)
        if differences is None:
            unknown.extend(_unknown_producers(dep, future))
        else:
            reasons.extend(differences)
    for out in stage.outs:
        reasons.extend(StageReason("output", str(name), new=word) for name, word in out.status().items())
    return reasons, list(dict.fromkeys(unknown))


def compare_dependency(dep: Output, future: Future) -> list[StageReason] | None:
    """Return how a dependency will differ from dvc.lock, or None if that is not known yet."""
    changed = find_overlaps(dep, future)
    if any(future.contents[path] is None for path in changed):
        return None
    if isinstance(dep, ParamsDependency):
        return compare_parameter_values(dep, read_parameters(dep, future.contents[changed[0]] if changed else None))
    if not changed:
        return [StageReason("dependency", str(name), new=str(word)) for name, word in dep.status().items()]
    content = forecast_content(dep, future)
    if content is None:
        return [StageReason("dependency", str(dep), new="deleted")]
    equal = bool(dep.hash_info) and content.hash_info == dep.hash_info
    return [] if equal else [StageReason("dependency", str(dep), new="modified" if dep.hash_info else "new")]


def compare_parameters(name: str, old: Any, new: Any) -> list[StageReason]:
    """Return one reason for each leaf below `name` that differs; None stands for an absent value."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        keys = dict.fromkeys((*old, *new))
        return [reason for key in keys for reason in compare_parameters(f"{name}.{key}", old.get(key), new.get(key))]
    return [] if old == new else [StageReason("parameter", name, old, new)]


def read_parameters(dep: ParamsDependency, content: Content | None) -> dict[str, Any] | None:
    """Return the values that a stage will read, from `content` or else from disk; None if there is no file."""
    if content is None:
        return dict(dep.read_params()) if dep.exists else None
    if content.file is None:
        path = dep.repo.cache.local.oid_to_path(content.hash_info.value)
        with TemporaryDirectory() as folder:  # DVC takes the format of a file from its name
            named = Path(folder) / Path(dep.fs_path).name
            named.symlink_to(path)
            return dict(read_param_file(dep.repo.fs, str(named), list(dep.params) or None, flatten=True))
    return dict(read_param_file(dep.repo.fs, str(content.file), list(dep.params) or None, flatten=True))


def never_ran(stage: Stage) -> bool:
    """Return whether dvc.lock has no entry for the stage."""
    return bool(stage.outs or stage.deps) and not any(item.hash_info for item in (*stage.outs, *stage.deps))


def _unknown_producers(dep: Output, future: Future) -> list[str]:
    return [future.producers[path] for path in find_overlaps(dep, future) if not future.contents[path]]


def compare_parameter_values(dep: ParamsDependency, actual: Mapping[str, Any] | None) -> list[StageReason]:
    """Return the parameters that differ from dvc.lock, with old and new value; None stands for a missing file.

    The differences are those that `ParamsDependency.workspace_status` finds.
    """
    if actual is None:
        return [StageReason("dependency", str(dep), new="deleted")]
    recorded = dep.hash_info.value if dep.hash_info and dep.hash_info.value is not None else {}
    reasons = []
    for name in dep.params or dict.fromkeys((*actual, *recorded)):
        if name not in actual or name not in recorded or actual[name] != recorded[name]:
            leaves = compare_parameters(name, recorded.get(name), actual.get(name))
            reasons += leaves or [StageReason("parameter", name)]
    return reasons
