"""The planner: DVC's repository (3.67.1) read as a plan of what a run would do with each stage, and why.

The verdicts follow `dvc.stage.Stage.reproduce` and `dvc.stage.cache.StageCache.restore` step by step, with one
difference: if an earlier stage of the plan is going to change a file, its future content is compared, not the content
on disk. The content of a restored output is in DVC's run-cache. That of a stage whose entry in dvc.yaml has
`meta: {foreseeable: true}` is computed in a scratch folder. That of any other stage is unknown until it has run.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

from dvc.exceptions import DvcException
from dvc.output import Output
from dvc.repo import Repo
from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro
from dvc.stage import Stage

from pipeline.core.errors import UsageError
from pipeline.repository.access import open_repository
from pipeline.repository.durations import estimate_seconds, read_durations
from pipeline.repository.forecast import Content, Future, overlap
from pipeline.repository.known_outputs import find_restorable, precompute
from pipeline.repository.plan import NOT_THERE, PlannedStage, Resource, StageReason, StageVerdict
from pipeline.repository.reasons import find_reasons

RESOURCES: tuple[Resource, ...] = get_args(Resource)


def plan_stages(targets: Sequence[str] = ()) -> list[PlannedStage]:
    """Return the stages that `dvc repro` of the targets (of everything, if none is named) would visit, in its order.

    The repository is the one of the working directory, and names of stages are relative to that, as in DVC. Nothing is
    changed. DVC's lock is held while planning, so a stage that is being recorded is seen either before or after.

    Raises:
        UsageError: A target is unknown, dvc.yaml or dvc.lock cannot be read, or a foreseeable stage refuses its
            parameters.
        EnvironmentFault: There is no DVC repository.
    """
    with open_repository() as repo, repo.lock, TemporaryDirectory() as scratch:
        return _plan(repo, targets, Path(scratch))


def _plan(repo: Repo, targets: Sequence[str], scratch: Path) -> list[PlannedStage]:
    graph = get_active_graph(repo.index.graph)
    selected = _select(repo, targets)
    seconds = read_durations(Path(repo.root_dir))
    future, plan = Future({}, {}), []
    outs = [out.fs_path for stage in repo.index.stages for out in stage.outs]
    for stage in plan_repro(graph, selected):
        verdict, reasons = _judge(stage, future, scratch)
        if verdict != "unchanged" and not stage.frozen:
            reasons += [StageReason(NOT_THERE, str(dep)) for dep in stage.deps if _is_missing(dep, outs)]
        needs = tuple(sorted(other.addressing for other in graph.successors(stage)))
        resource, timeout = _read_meta(stage)
        name, portable = stage.addressing, _is_portable(stage)
        estimate = estimate_seconds(seconds, name)
        plan.append(PlannedStage(name, verdict, tuple(reasons), needs, resource, estimate, timeout, portable))
    return plan


def _select(repo: Repo, targets: Sequence[str]) -> list[Stage]:
    try:
        return list(collect_stages(repo, targets or ["dvc.yaml"]))
    except DvcException as error:
        known = {stage.addressing for stage in repo.index.stages}
        near = _find_near(targets, known | {name.partition("@")[0] for name in known})
        hint = f" Did you mean {', '.join(near)}?" if near else ""
        raise UsageError(f"{', '.join(targets) or 'dvc.yaml'}: {error}.{hint} Name stages of dvc.yaml.") from error


def _find_near(words: Iterable[str], known: Collection[str]) -> list[str]:
    """Return the known word nearest to each of the words that is unknown, if one is near."""
    return [near for word in words if word not in known for near in get_close_matches(word, known, n=1)]


def _is_missing(dep: Output, outs: Sequence[str]) -> bool:
    """Return whether a dependency is not on disk and no stage makes it or a part of it."""
    return dep.protocol == "local" and not dep.exists and not any(overlap(dep.fs_path, out) for out in outs)


def _read_meta(stage: Stage) -> tuple[Resource, float | None]:
    """Return the resource and the timeout that dvc.yaml gives a stage.

    Raises:
        UsageError: A value is not allowed.
    """
    meta = stage.meta or {}
    resource, timeout = meta.get("resource", "cpu"), meta.get("timeout")
    if resource not in RESOURCES:
        raise UsageError(
            f"dvc.yaml, {stage.addressing}: meta.resource is {resource!r}. Set one of {', '.join(RESOURCES)}."
        )
    if timeout is not None and not (isinstance(timeout, int | float) and timeout > 0):
        raise UsageError(
            f"dvc.yaml, {stage.addressing}: meta.timeout is {timeout!r}. Set a number of seconds greater than 0."
        )
    return resource, timeout


def _is_portable(stage: Stage) -> bool:
    """Return whether a stage computes: no import, no download, nothing frozen and nothing that takes no time."""
    meta = stage.meta or {}
    return bool(stage.cmd) and not stage.frozen and meta.get("resource") != "network" and not meta.get("foreseeable")


def _judge(stage: Stage, future: Future, scratch: Path) -> tuple[StageVerdict, list[StageReason]]:
    """Return the verdict on a stage and its reasons; add its future outputs to `future`."""
    reasons, unknown = find_reasons(stage, future)
    if not reasons and not unknown:
        return "unchanged", []
    if not reasons:
        _add_outputs(future, stage, {})
        return "maybe", [StageReason("upstream", name) for name in unknown]
    restored = None if unknown or stage.frozen else find_restorable(stage, future)
    if restored is not None:
        _add_outputs(future, stage, restored)
        return "restore", reasons
    if not stage.frozen and (stage.cmd or stage.is_import):  # data that somebody edited are on disk already
        _add_outputs(future, stage, precompute(stage, future, scratch) if not unknown else {})
    return "run", [*reasons, *(StageReason("upstream", name) for name in unknown)]


def _add_outputs(future: Future, stage: Stage, contents: Mapping[str, Content]) -> None:
    for out in stage.outs:
        future.contents[out.fs_path] = contents.get(out.fs_path)
        future.producers[out.fs_path] = stage.addressing
