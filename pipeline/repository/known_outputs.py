"""Outputs known before a stage runs: those in DVC's run-cache, and those of cheap stages, precomputed on the side."""

import shlex
from pathlib import Path
from typing import Any

from dvc.dependency.param import ParamsDependency
from dvc.output import Output
from dvc.stage import PipelineStage, Stage
from dvc.stage.cache import _get_cache_hash
from dvc.stage.serialize import to_single_stage_lockfile
from dvc_data.hashfile.meta import Meta
from dvc_data.hashfile.tree import Tree

from pipeline.core.command import run_program
from pipeline.core.errors import EnvironmentFault, UsageError
from pipeline.repository.forecast import Content, Future, find_overlaps, forecast_content
from pipeline.repository.reasons import compare_dependency, read_parameters


def find_restorable(stage: Stage, future: Future) -> dict[str, Content] | None:
    """Return by path the outputs that DVC would restore from its cache instead of running the stage, or None."""
    if not isinstance(stage, PipelineStage) or not _has_run_cache(stage):
        return None
    deps_changed = stage.changed_stage() or any(compare_dependency(dep, future) for dep in stage.deps)
    if deps_changed or not all(bool(out.hash_info) for out in stage.outs):
        for dep in stage.deps:
            if not _set_future_hash(dep, future):
                return None
        entry = _find_cached_run(stage)
    else:
        entry = to_single_stage_lockfile(stage)
    if entry is None:
        return None
    cached = stage.repo.stage_cache._create_stage(entry, wdir=stage.wdir)
    if not cached.outs_cached():
        return None
    return {out.fs_path: _cached_content(out) for out in cached.outs}


def precompute(stage: Stage, future: Future, scratch: Path) -> dict[str, Content]:
    """Return by path the outputs of a foreseeable stage, by running its command with paths below `scratch`.

    Returns {} for any other stage, for a command that does not name each output, leaves one out, fails or is not
    installed, and if an input is neither on disk nor precomputed.

    Raises:
        UsageError: The command refuses its parameters (exit code 2): the run would end here. The message is its own.
    """
    command = shlex.split(stage.cmd) if isinstance(stage.cmd, str) else []
    # A command that does not name an output would write it into the working tree.
    if not (stage.meta or {}).get("foreseeable") or not all(out.def_path in command for out in stage.outs):
        return {}
    paths = {out.def_path: scratch / str(len(list(scratch.iterdir()))) / Path(out.def_path).name for out in stage.outs}
    for dep in stage.deps:
        for path in find_overlaps(dep, future):
            content = future.contents[path]
            if content is None or (content.file is None and not isinstance(dep, ParamsDependency)):
                return {}
            if content.file is not None:
                paths[dep.def_path] = content.file
    words = [str(paths.get(word, word)) for word in command]
    for out in stage.outs:
        paths[out.def_path].parent.mkdir(parents=True, exist_ok=True)
    try:
        completed = run_program(words, cwd=Path(stage.wdir))
    except EnvironmentFault:
        return {}
    if completed.returncode == UsageError.exit_code:
        raise UsageError(completed.stderr.decode("utf-8", "replace").strip() or f"{stage.addressing}: exit code 2.")
    if completed.returncode or not all(paths[out.def_path].is_file() for out in stage.outs):
        return {}
    return {out.fs_path: _file_content(out, paths[out.def_path]) for out in stage.outs}


def _has_run_cache(stage: Stage) -> bool:
    """Return whether DVC caches runs of such a stage (`dvc.stage.cache._can_hash`, without reading the disk)."""
    return bool(
        not (stage.is_callback or stage.always_changed)
        and stage.cmd
        and stage.deps
        and stage.outs
        and all(dep.protocol == "local" and dep.def_path for dep in stage.deps)
        and all(out.protocol == "local" and out.def_path and not out.persist and out.is_in_repo for out in stage.outs)
    )


def _set_future_hash(dep: Output, future: Future) -> bool:
    """Give a dependency (of this plan's own repository object) its future hash; return False if it will have none."""
    changed = find_overlaps(dep, future)
    if isinstance(dep, ParamsDependency):
        values = read_parameters(dep, future.contents[changed[0]] if changed else None)
        if values is None or set(dep.params) - set(values):
            return False
        dep.fill_values(values)
        return True
    if not changed:
        if not dep.exists:
            return False
        dep.meta, dep.hash_info = dep._get_hash_meta()
        return True
    content = forecast_content(dep, future)
    if content is None:
        return False
    dep.hash_info, dep.meta = content.hash_info, content.meta or Meta()  # not the old one, which holds the old hash
    return True


def _find_cached_run(stage: Stage) -> dict[str, Any] | None:
    """Return the newest entry of DVC's run-cache for this command on these inputs.

    Raises:
        UsageError: A parameter is no JSON value, say a date.
    """
    cache = stage.repo.stage_cache
    try:
        key = _get_cache_hash(to_single_stage_lockfile(stage), key=True)
    except TypeError as error:  # DVC would run the stage and then fail to record it
        raise UsageError(
            f"{stage.addressing}: DVC cannot record a parameter, {error}. Write dates in quotation marks."
        ) from error
    folder = Path(cache._get_cache_dir(key))
    if not folder.is_dir():
        return None
    newest = max(folder.iterdir(), key=lambda path: path.stat().st_mtime, default=None)
    entry: dict[str, Any] | None = cache._load_cache(key, newest.name) if newest else None
    return entry


def _cached_content(out: Output) -> Content:
    return Content(out.hash_info, out.meta, Tree.load(out.cache, out.hash_info) if out.hash_info.isdir else None)


def _file_content(out: Output, file: Path) -> Content:
    _, meta, computed = out._build(
        out.cache, str(file), out.fs, out.hash_name, ignore=None, dry_run=True, no_progress_bar=True
    )
    return Content(computed.hash_info, meta, None, file)
