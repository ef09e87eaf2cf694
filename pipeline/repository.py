"""DVC's repository read as a plan: the only module that looks inside DVC (3.67.1).

The verdicts follow `dvc.stage.Stage.reproduce` and `dvc.stage.cache.StageCache.restore` step by step, with one
difference: where an earlier stage of the plan is going to change a file, the content that it will have is compared, not
the content on disk. That of a restored output stands in DVC's run-cache. That of a stage whose entry in dvc.yaml has
`meta: {foreseeable: true}` is computed on the side. That of any other is not known before it has run.
"""

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, get_args

from dvc.dependency.param import ParamsDependency, read_param_file
from dvc.exceptions import DvcException
from dvc.output import Output
from dvc.repo import Repo
from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro
from dvc.stage import PipelineStage, Stage
from dvc.stage.cache import _get_cache_hash
from dvc.stage.serialize import to_single_stage_lockfile
from dvc.utils.serialize import dump_yaml, load_yaml
from dvc_data.hashfile.tree import Tree

from pipeline.durations import lately
from pipeline.errors import EnvironmentFault, UsageError
from pipeline.files import publish
from pipeline.plan import Reason, Resource, Step, Verdict, parameter_reasons

RESOURCES: tuple[Resource, ...] = get_args(Resource)


class Content(NamedTuple):
    """What a path will hold: DVC's hash of it, and the object itself (a tree for a folder)."""

    hash_info: Any
    meta: Any
    tree: Tree | None
    file: Path | None = None


class Future(NamedTuple):
    """What the stages so far will leave: by path the new content, or None where it is not known yet; who makes it."""

    contents: dict[str, Content | None]
    makers: dict[str, str]


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


def mend() -> list[str]:
    """Repair what a DVC that was killed while it wrote has left, and return what was repaired.

    DVC writes dvc.lock and its table of readers and writers in place. Both are looked at under its lock, when nobody
    else writes. The table is emptied where it cannot be read: whoever had an entry is dead. dvc.lock, where it cannot
    be read, becomes what it was when it last could; a stage that has ended since is then restored or runs again.
    """
    with Repo(".", _wait_for_lock=True) as repo, repo.lock:
        found = []
        table, lock, copy = Path(repo.tmp_dir, "rwlock"), Path("dvc.lock"), Path(repo.tmp_dir, "dvc.lock.good")
        if table.is_file() and not _is_json(table):
            table.unlink()
            found.append(f"{table.name} could not be read and was emptied")
        if lock.is_file() and _is_lock(lock):
            with publish(copy) as partial:
                shutil.copyfile(lock, partial)
        elif lock.is_file() and copy.is_file():
            with publish(lock) as partial:
                shutil.copyfile(copy, partial)
            found.append(f"{lock} could not be read and is again what it was before")
        return found


def _is_json(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_text(encoding="utf-8")), dict)
    except ValueError:
        return False


def _is_lock(path: Path) -> bool:
    try:
        return isinstance(load_yaml(str(path)), dict) and bool(load_yaml(str(path)).get("schema"))
    except (DvcException, ValueError):
        return False


def locked_stages() -> list[str]:
    """Return the names of the stages in dvc.lock, in its order."""
    return list((load_yaml("dvc.lock") or {}).get("stages", {})) if Path("dvc.lock").is_file() else []


def settle(before: Sequence[str], plan: Sequence[Step]) -> None:
    """Give dvc.lock the order that one `dvc repro` would have left, where stages have ended in another.

    Those of `before` keep their places, new ones follow as the plan has them.
    """
    with Repo(".", _wait_for_lock=True) as repo, repo.lock:
        names = locked_stages()
        wanted = {name: place for place, name in enumerate(dict.fromkeys((*before, *(step.name for step in plan))))}
        ordered = sorted(names, key=lambda name: wanted.get(name, len(wanted)))
        if ordered != names:
            document = load_yaml("dvc.lock")
            document["stages"] = {name: document["stages"][name] for name in ordered}
            with publish(Path("dvc.lock")) as partial:
                dump_yaml(str(partial), document)


def refresh() -> None:
    """Bring the newest version of each import (`dvc import`, `dvc import-url`); its .dvc file then names that one.

    Raises:
        EnvironmentFault: A source cannot be reached.
    """
    repo = Repo(".", _wait_for_lock=True)
    for stage in [found for found in repo.index.stages if found.is_import]:
        try:
            repo.update([stage.addressing])
        except DvcException as error:
            raise EnvironmentFault(f"{stage.addressing} could not be refreshed: {error}. Run again later.") from error


def tracked_by_git() -> list[str]:
    """Return the paths that a run changes and Git keeps: dvc.lock, outputs outside of DVC's cache, `.dvc` files."""
    repo = Repo(".")
    outs = [str(Path(out.fs_path).relative_to(repo.root_dir)) for out in repo.index.outs if not out.use_cache]
    entries = [stage.addressing for stage in repo.index.stages if not stage.cmd]
    return sorted({"dvc.lock", *outs, *entries})


def metrics() -> list[dict[str, Any]]:
    """Return a row for each metrics file: its name, and its values that are numbers."""
    shown = Repo(".").metrics.show().get("", {}).get("data", {})
    return [
        {
            "file": Path(name).stem,
            **{key: value for key, value in found["data"].items() if isinstance(value, int | float)},
        }
        for name, found in shown.items()
        if isinstance(found.get("data"), dict)
    ]


def reports() -> list[Path]:
    """Return the pages among the outputs that are there."""
    outs = (Path(out.fs_path) for out in Repo(".").index.outs)
    return sorted(out for out in outs if out.suffix == ".html" and out.is_file())


def _verdict(stage: Stage, future: Future, scratch: Path) -> tuple[Verdict, list[Reason]]:
    """Return what a run would do with a stage, and why; add to `future` what it will leave."""
    reasons, unknown = _changes(stage, future)
    if not reasons and not unknown:
        return "unchanged", []
    if not reasons:
        _leave(stage, future, {})
        return "maybe", [Reason("upstream", name) for name in unknown]
    restored = None if unknown or stage.frozen else _restorable(stage, future)
    if restored is not None:
        _leave(stage, future, restored)
        return "restore", reasons
    if not stage.frozen and (stage.cmd or stage.is_import):  # data that somebody changed are there already
        _leave(stage, future, _foreseen(stage, future, scratch) if not unknown else {})
    return "run", [*reasons, *(Reason("upstream", name) for name in unknown)]


def _leave(stage: Stage, future: Future, contents: Mapping[str, Content]) -> None:
    for out in stage.outs:
        future.contents[out.fs_path] = contents.get(out.fs_path)
        future.makers[out.fs_path] = stage.addressing


# ------------------------------------------------------------------------------------------- what changed
def _changes(stage: Stage, future: Future) -> tuple[list[Reason], list[str]]:
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
        found = _dependency_changes(dep, future)
        if found is None:
            unknown.extend(future.makers[path] for path in _overlapping(dep, future) if not future.contents[path])
        else:
            reasons.extend(found)
    for out in stage.outs:
        reasons.extend(Reason("output", str(name), new=word) for name, word in out.status().items())
    return reasons, list(dict.fromkeys(unknown))


def _never_ran(stage: Stage) -> bool:
    """Return whether dvc.lock has nothing of the stage."""
    return bool(stage.outs or stage.deps) and not any(item.hash_info for item in (*stage.outs, *stage.deps))


def _makers_not_known(stage: Stage, future: Future) -> list[str]:
    paths = [path for dep in stage.deps for path in _overlapping(dep, future) if not future.contents[path]]
    return list(dict.fromkeys(future.makers[path] for path in paths))


def _overlapping(dep: Output, future: Future) -> list[str]:
    """Return the paths that an earlier stage will change and that are `dep`, hold it or lie in it."""
    return [
        path for path in future.contents if dep.fs.isin_or_eq(dep.fs_path, path) or dep.fs.isin_or_eq(path, dep.fs_path)
    ]


def _dependency_changes(dep: Output, future: Future) -> list[Reason] | None:
    """Return how a dependency will differ from what dvc.lock has, or None where that is not known yet."""
    changed = _overlapping(dep, future)
    if any(future.contents[path] is None for path in changed):
        return None
    if isinstance(dep, ParamsDependency):
        return _parameter_changes(dep, future.contents[changed[0]] if changed else None)
    if not changed:
        return [Reason("dependency", str(name), new=str(word)) for name, word in dep.status().items()]
    content = _content(dep, future)
    if content is None:
        return [Reason("dependency", str(dep), new="deleted")]
    same = bool(dep.hash_info) and content.hash_info == dep.hash_info
    return [] if same else [Reason("dependency", str(dep), new="modified" if dep.hash_info else "new")]


def _parameter_changes(dep: ParamsDependency, content: Content | None) -> list[Reason]:
    """Return the parameters that differ, with old and new value, as `ParamsDependency.workspace_status` does."""
    actual = _parameters(dep, content)
    if actual is None:
        return [Reason("dependency", str(dep), new="deleted")]
    recorded = dep.hash_info.value if dep.hash_info and dep.hash_info.value is not None else {}
    found = []
    for name in dep.params or dict.fromkeys((*actual, *recorded)):
        if name not in actual or name not in recorded or actual[name] != recorded[name]:
            found += parameter_reasons(name, recorded.get(name), actual.get(name)) or [Reason("parameter", name)]
    return found


def _parameters(dep: ParamsDependency, content: Content | None) -> dict[str, Any] | None:
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


# --------------------------------------------------------------------------------------- what will be there
def _content(dep: Output, future: Future) -> Content | None:
    """Return what a dependency will hold, from the disk and the outputs that will have changed; None if nothing."""
    changed = _overlapping(dep, future)
    for path in changed:
        content = future.contents[path]
        assert content is not None  # noqa: S101 - the caller has looked
        if path == dep.fs_path:
            return content
        if dep.fs.isin(dep.fs_path, path):
            return _inside(content, dep.fs.relparts(dep.fs_path, path))
    return _with_changes(dep, {path: content for path in changed if (content := future.contents[path])})


def _inside(content: Content, key: tuple[str, ...]) -> Content | None:
    """Return the file or folder `key` of a folder."""
    if content.tree is None:
        return None
    entry = content.tree.get(key)
    if entry is not None:
        return Content(entry[1], entry[0], None)
    part = Tree()
    for place, (meta, hash_info) in content.tree.iteritems():
        if place[: len(key)] == key:
            part.add(place[len(key) :], meta, hash_info)
    return _whole(part)


def _with_changes(dep: Output, changed: Mapping[str, Content]) -> Content | None:
    """Return the folder `dep` as it is on disk, with the changed outputs in place of what is there now."""
    folder = Tree()
    if dep.exists:
        _, _, now = dep._build(dep.cache, dep.fs_path, dep.fs, dep.hash_name, ignore=dep.dvcignore, dry_run=True)
        inside = [dep.fs.relparts(path, dep.fs_path) for path in changed]
        for key, (meta, hash_info) in now.iteritems() if isinstance(now, Tree) else ():
            if not any(key[: len(parts)] == parts for parts in inside):
                folder.add(key, meta, hash_info)
    for path, content in changed.items():
        parts = dep.fs.relparts(path, dep.fs_path)
        if content.tree is None:
            folder.add(parts, content.meta, content.hash_info)
        else:
            for key, (meta, hash_info) in content.tree.iteritems():
                folder.add((*parts, *key), meta, hash_info)
    return _whole(folder)


def _whole(tree: Tree) -> Content | None:
    if not len(tree):
        return None
    tree.digest()
    return Content(tree.hash_info, None, tree)


# ------------------------------------------------------------------------------------- restored or foreseen
def _restorable(stage: Stage, future: Future) -> dict[str, Content] | None:
    """Return by path the outputs that DVC would take out of its cache instead of running, or None."""
    if not isinstance(stage, PipelineStage) or not _hashable(stage):
        return None
    deps_changed = stage.changed_stage() or any(_dependency_changes(dep, future) for dep in stage.deps)
    if deps_changed or not all(bool(out.hash_info) for out in stage.outs):
        for dep in stage.deps:
            if not _remember(dep, future):
                return None
        entry = _run_cache_entry(stage)
    else:
        entry = to_single_stage_lockfile(stage)
    if entry is None:
        return None
    cached = stage.repo.stage_cache._create_stage(entry, wdir=stage.wdir)
    if not cached.outs_cached():
        return None
    return {out.fs_path: _of_cache(out) for out in cached.outs}


def _hashable(stage: Stage) -> bool:
    """Return whether DVC keeps runs of such a stage at all (`dvc.stage.cache._can_hash`, without reading the disk)."""
    return bool(
        not (stage.is_callback or stage.always_changed)
        and stage.cmd
        and stage.deps
        and stage.outs
        and all(dep.protocol == "local" and dep.def_path for dep in stage.deps)
        and all(out.protocol == "local" and out.def_path and not out.persist and out.is_in_repo for out in stage.outs)
    )


def _remember(dep: Output, future: Future) -> bool:
    """Give a dependency (of this plan's own repository object) the hash it will have; False where it has none."""
    changed = _overlapping(dep, future)
    if isinstance(dep, ParamsDependency):
        values = _parameters(dep, future.contents[changed[0]] if changed else None)
        if values is None or set(dep.params) - set(values):
            return False
        dep.fill_values(values)
        return True
    if not changed:
        if not dep.exists:
            return False
        dep.meta, dep.hash_info = dep._get_hash_meta()
        return True
    content = _content(dep, future)
    if content is None:
        return False
    dep.hash_info, dep.meta = content.hash_info, content.meta or dep.meta
    return dep.meta is not None


def _run_cache_entry(stage: Stage) -> dict[str, Any] | None:
    """Return the newest run that DVC remembers of this command on these inputs."""
    cache = stage.repo.stage_cache
    key = _get_cache_hash(to_single_stage_lockfile(stage), key=True)
    folder = Path(cache._get_cache_dir(key))
    if not folder.is_dir():
        return None
    newest = max(folder.iterdir(), key=lambda path: path.stat().st_mtime, default=None)
    entry: dict[str, Any] | None = cache._load_cache(key, newest.name) if newest else None
    return entry


def _of_cache(out: Output) -> Content:
    return Content(out.hash_info, out.meta, Tree.load(out.cache, out.hash_info) if out.hash_info.isdir else None)


def _foreseen(stage: Stage, future: Future, scratch: Path) -> dict[str, Content]:
    """Return by path what a quick stage is going to write, from its own command with other paths; {} for any other.

    What it will read must be there: nothing that an earlier stage is going to change, unless that was computed too.
    """
    if not (stage.meta or {}).get("foreseeable") or not isinstance(stage.cmd, str):
        return {}
    places = {out.def_path: scratch / str(len(list(scratch.iterdir()))) / Path(out.def_path).name for out in stage.outs}
    for dep in stage.deps:
        for path in _overlapping(dep, future):
            content = future.contents[path]
            if content is None or (content.file is None and not isinstance(dep, ParamsDependency)):
                return {}
            if content.file is not None:
                places[dep.def_path] = content.file
    words = [str(places.get(word, word)) for word in shlex.split(stage.cmd)]
    for out in stage.outs:
        places[out.def_path].parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(words, cwd=stage.wdir, env=os.environ, capture_output=True, check=False)
    return {} if done.returncode else {out.fs_path: _of_file(out, places[out.def_path]) for out in stage.outs}


def _of_file(out: Output, file: Path) -> Content:
    _, meta, computed = out._build(
        out.cache, str(file), out.fs, out.hash_name, ignore=None, dry_run=True, no_progress_bar=True
    )
    return Content(computed.hash_info, meta, None, file)
