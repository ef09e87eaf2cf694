"""DVC's repository (3.67.1) read as a plan: what a run would do with each stage, and why.

The verdicts follow `dvc.stage.Stage.reproduce` and `dvc.stage.cache.StageCache.restore` step by step, with one
difference: where an earlier stage of the plan is going to change a file, the content that it will have is compared, not
the content on disk. That of a restored output stands in DVC's run-cache. That of a stage whose entry in dvc.yaml has
`meta: {foreseeable: true}` is computed on the side. That of any other is not known before it has run.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro
from dvc.stage import Stage

from pipeline.core.errors import EnvironmentFault, UsageError
from pipeline.repository.durations import lately
from pipeline.repository.forecast import Content, Future
from pipeline.repository.known_outputs import foreseen, restorable
from pipeline.repository.plan import Reason, Resource, Step, Verdict
from pipeline.repository.reasons import changes

RESOURCES: tuple[Resource, ...] = get_args(Resource)


def plan(targets: Sequence[str] = ()) -> list[Step]:
    """Return a step for each stage that a `dvc repro` of the targets (all, if none is named) looks at, in its order.

    The repository is the one of the working directory, as DVC has it: names of stages are relative to that. Nothing is
    changed. DVC's lock is held meanwhile, so a stage that is being recorded is seen before or after.

    Raises:
        UsageError: A target is unknown, or dvc.yaml or dvc.lock cannot be read.
        EnvironmentFault: There is no DVC repository.
    """
    try:
        repo = Repo(".", _wait_for_lock=True)
    except DvcException as error:
        raise EnvironmentFault(f"{Path.cwd()} is no DVC repository: {error}. Run in the project's folder.") from error
    try:
        with repo, repo.lock, TemporaryDirectory() as scratch:
            return _steps(repo, targets, Path(scratch))
    except DvcException as error:
        raise UsageError(f"{error}{f' ({error.__cause__})' if error.__cause__ else ''}") from error


def _steps(repo: Repo, targets: Sequence[str], scratch: Path) -> list[Step]:
    graph = get_active_graph(repo.index.graph)
    chosen = collect_stages(repo, targets or ["dvc.yaml"])
    seconds = lately(Path(repo.root_dir))
    future = Future({}, {})
    found = []
    for stage in plan_repro(graph, chosen):
        verdict, reasons = _verdict(stage, future, scratch)
        needs = tuple(sorted(other.addressing for other in graph.successors(stage)))
        name = stage.addressing
        found.append(Step(name, verdict, tuple(reasons), needs, *_meta(stage, seconds.get(name))))
    return found


def _meta(stage: Stage, seconds: float | None) -> tuple[Resource, float | None, float | None]:
    """Return what dvc.yaml says of a stage for those who run it: its resource and its timeout, `seconds` between them.

    Raises:
        UsageError: A value is not one of those allowed.
    """
    meta = stage.meta or {}
    resource, timeout = meta.get("resource", "cpu"), meta.get("timeout")
    if resource not in RESOURCES:
        raise UsageError(f"{stage.addressing} has meta.resource {resource!r}; allowed: {', '.join(RESOURCES)}")
    if timeout is not None and not (isinstance(timeout, int | float) and timeout > 0):
        raise UsageError(f"{stage.addressing} has meta.timeout {timeout!r}; it must be a number of seconds above 0")
    return resource, seconds, timeout


def _verdict(stage: Stage, future: Future, scratch: Path) -> tuple[Verdict, list[Reason]]:
    """Return what a run would do with a stage, and why; add to `future` what it will leave."""
    reasons, unknown = changes(stage, future)
    if not reasons and not unknown:
        return "unchanged", []
    if not reasons:
        _leave(stage, future, {})
        return "maybe", [Reason("upstream", name) for name in unknown]
    restored = None if unknown or stage.frozen else restorable(stage, future)
    if restored is not None:
        _leave(stage, future, restored)
        return "restore", reasons
    if not stage.frozen and (stage.cmd or stage.is_import):  # data that somebody changed are there already
        _leave(stage, future, foreseen(stage, future, scratch) if not unknown else {})
    return "run", [*reasons, *(Reason("upstream", name) for name in unknown)]


def _leave(stage: Stage, future: Future, contents: Mapping[str, Content]) -> None:
    for out in stage.outs:
        future.contents[out.fs_path] = contents.get(out.fs_path)
        future.makers[out.fs_path] = stage.addressing
