"""What a stage will leave without running: what DVC takes out of its run-cache, and what is computed on the side."""

import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

from dvc.dependency.param import ParamsDependency
from dvc.output import Output
from dvc.stage import PipelineStage, Stage
from dvc.stage.cache import _get_cache_hash
from dvc.stage.serialize import to_single_stage_lockfile
from dvc_data.hashfile.meta import Meta
from dvc_data.hashfile.tree import Tree

from pipeline.repository.forecast import Content, Future, content_of, overlapping
from pipeline.repository.reasons import dependency_changes, parameters


def restorable(stage: Stage, future: Future) -> dict[str, Content] | None:
    """Return by path the outputs that DVC would take out of its cache instead of running, or None."""
    if not isinstance(stage, PipelineStage) or not _hashable(stage):
        return None
    deps_changed = stage.changed_stage() or any(dependency_changes(dep, future) for dep in stage.deps)
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
    changed = overlapping(dep, future)
    if isinstance(dep, ParamsDependency):
        values = parameters(dep, future.contents[changed[0]] if changed else None)
        if values is None or set(dep.params) - set(values):
            return False
        dep.fill_values(values)
        return True
    if not changed:
        if not dep.exists:
            return False
        dep.meta, dep.hash_info = dep._get_hash_meta()
        return True
    content = content_of(dep, future)
    if content is None:
        return False
    dep.hash_info, dep.meta = content.hash_info, content.meta or Meta()  # not the old one, which knows the old hash
    return True


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


def foreseen(stage: Stage, future: Future, scratch: Path) -> dict[str, Content]:
    """Return by path what a quick stage is going to write, from its own command with other paths; {} for any other.

    What it will read must be there: nothing that an earlier stage is going to change, unless that was computed too.
    """
    if not (stage.meta or {}).get("foreseeable") or not isinstance(stage.cmd, str):
        return {}
    places = {out.def_path: scratch / str(len(list(scratch.iterdir()))) / Path(out.def_path).name for out in stage.outs}
    for dep in stage.deps:
        for path in overlapping(dep, future):
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
