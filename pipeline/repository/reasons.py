"""What has changed for a stage, as DVC sees it; what an earlier stage of the plan is going to change counts too."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dvc.dependency.param import ParamsDependency, read_param_file
from dvc.output import Output
from dvc.stage import PipelineStage, Stage

from pipeline.repository.forecast import Content, Future, content_of, overlapping
from pipeline.repository.plan import Reason, parameter_reasons


def changes(stage: Stage, future: Future) -> tuple[list[Reason], list[str]]:
    """Return why a stage is changed for certain, and the stages whose output has to be seen first."""
    reasons: list[Reason] = []
    unknown: list[str] = []
    if stage.changed_stage():
        reasons.append(Reason("command", "", old=True))
    if (stage.is_callback or stage.always_changed) and not stage.frozen:
        reasons.append(Reason("output", "always", new="changes"))
    if isinstance(stage, PipelineStage) and not stage.frozen and _never_ran(stage):
        return [Reason("command", "", old=False)], _makers_not_known(stage, future)
    for dep in () if stage.frozen else stage.deps:
        found = dependency_changes(dep, future)
        if found is None:
            unknown.extend(future.makers[path] for path in overlapping(dep, future) if not future.contents[path])
        else:
            reasons.extend(found)
    for out in stage.outs:
        reasons.extend(Reason("output", str(name), new=word) for name, word in out.status().items())
    return reasons, list(dict.fromkeys(unknown))


def _never_ran(stage: Stage) -> bool:
    """Return whether dvc.lock has nothing of the stage."""
    return bool(stage.outs or stage.deps) and not any(item.hash_info for item in (*stage.outs, *stage.deps))


def _makers_not_known(stage: Stage, future: Future) -> list[str]:
    paths = [path for dep in stage.deps for path in overlapping(dep, future) if not future.contents[path]]
    return list(dict.fromkeys(future.makers[path] for path in paths))


def dependency_changes(dep: Output, future: Future) -> list[Reason] | None:
    """Return how a dependency will differ from what dvc.lock has, or None where that is not known yet."""
    changed = overlapping(dep, future)
    if any(future.contents[path] is None for path in changed):
        return None
    if isinstance(dep, ParamsDependency):
        return _parameter_changes(dep, future.contents[changed[0]] if changed else None)
    if not changed:
        return [Reason("dependency", str(name), new=str(word)) for name, word in dep.status().items()]
    content = content_of(dep, future)
    if content is None:
        return [Reason("dependency", str(dep), new="deleted")]
    same = bool(dep.hash_info) and content.hash_info == dep.hash_info
    return [] if same else [Reason("dependency", str(dep), new="modified" if dep.hash_info else "new")]


def _parameter_changes(dep: ParamsDependency, content: Content | None) -> list[Reason]:
    """Return the parameters that differ, with old and new value, as `ParamsDependency.workspace_status` does."""
    actual = parameters(dep, content)
    if actual is None:
        return [Reason("dependency", str(dep), new="deleted")]
    recorded = dep.hash_info.value if dep.hash_info and dep.hash_info.value is not None else {}
    found = []
    for name in dep.params or dict.fromkeys((*actual, *recorded)):
        if name not in actual or name not in recorded or actual[name] != recorded[name]:
            found += parameter_reasons(name, recorded.get(name), actual.get(name)) or [Reason("parameter", name)]
    return found


def parameters(dep: ParamsDependency, content: Content | None) -> dict[str, Any] | None:
    """Return the values that a stage will read, or None where there is no file."""
    if content is None:
        return dict(dep.read_params()) if dep.exists else None
    if content.file is None:
        path = dep.repo.cache.local.oid_to_path(content.hash_info.value)
        with TemporaryDirectory() as folder:  # DVC tells the format of a file by its name
            named = Path(folder) / Path(dep.fs_path).name
            named.symlink_to(path)
            return dict(read_param_file(dep.repo.fs, str(named), list(dep.params) or None, flatten=True))
    return dict(read_param_file(dep.repo.fs, str(content.file), list(dep.params) or None, flatten=True))
