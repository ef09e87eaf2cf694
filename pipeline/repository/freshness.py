"""The freshness of a revision's results: the stages whose record in dvc.lock is not of what the revision holds.

A record is compared with the files of the revision itself: those that Git keeps, and the hashes of those that DVC
keeps. Nothing of the revision is executed. If a stage has changed whose entry in dvc.yaml has `meta: {foreseeable:
true}`, the stage of that name here computes its outputs in a scratch folder, so that a comment in the code is no change
of what comes after it.
"""

import shlex
from collections.abc import Collection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import networkx as nx
from dvc.dependency.param import ParamsDependency, read_param_file
from dvc.fs import FileSystem, LocalFileSystem, localfs
from dvc.output import Output
from dvc.repo import Repo
from dvc.stage import PipelineStage, Stage
from dvc_data.hashfile.build import build
from dvc_data.index import DataIndexDirError

from pipeline.core.errors import PipelineError
from pipeline.core.stage import bind_facets, load, read_declaration
from pipeline.repository.forecast import overlap
from pipeline.repository.plan import StageReason
from pipeline.repository.reasons import compare_parameter_values, never_ran, read_parameters

NEVER_RAN = (StageReason("command", "", old=False),)
# Of a stage here that does not fit what an older or a broken revision holds.
_FAULTS = (PipelineError, OSError, LookupError, SyntaxError, TypeError, ValueError)


class StaleStage(NamedTuple):
    """A stage that a run would execute, or may execute, at a revision, and why."""

    name: str
    reasons: tuple[StageReason, ...]


def find_stale_stages(repo: Repo, targets: Collection[str]) -> list[StaleStage]:
    """Return the stale stages among the targets and, if a target is stale, among the stages it depends on.

    `repo` is open at the revision. They are in the order in which they would run. A target that dvc.yaml does not have
    is stale, since it never ran. A file inside a folder of which DVC has no listing here is not compared.
    """
    graph = repo.index.graph
    stages = {stage.name: stage for stage in graph if isinstance(stage, PipelineStage)}
    known = {target: {stages[target], *nx.descendants(graph, stages[target])} for target in targets if target in stages}
    examined = set().union(*known.values())
    order = [stage for stage in reversed(list(nx.topological_sort(graph))) if stage in examined]
    with TemporaryDirectory() as scratch:
        record = _Record(repo, Path(scratch))
        stale = {stage: reasons for stage in order if (reasons := record.examine(stage))}
    needed = set().union(*(own for target, own in known.items() if stages[target] in stale))
    absent = [StaleStage(target, NEVER_RAN) for target in targets if target not in stages]
    return [*(StaleStage(stage.name, reasons) for stage, reasons in stale.items() if stage in needed), *absent]


class _Record:
    """What dvc.lock records, and what the stages examined so far would leave: a file, or None if that is not known."""

    def __init__(self, repo: Repo, scratch: Path) -> None:
        """Nothing is examined yet."""
        self._repo, self._scratch = repo, scratch
        self._is_local = isinstance(repo.fs, LocalFileSystem)
        self._outs = {out.fs_path: out for out in repo.index.outs if out.use_cache}
        self._future: dict[str, Path | None] = {}
        self._producers: dict[str, str] = {}

    def examine(self, stage: Stage) -> tuple[StageReason, ...]:
        """Return why a stage is stale, empty if it is not; the stages that it depends on come first."""
        if not isinstance(stage, PipelineStage) or stage.frozen:
            return ()
        overlaps = dict.fromkeys(path for dep in stage.deps for path in self._overlapping(dep))
        unknown = [path for path in overlaps if self._future[path] is None]
        upstream = [StageReason("upstream", name) for name in dict.fromkeys(self._producers[path] for path in unknown)]
        reasons = [StageReason("command", "", old=True)] if stage.changed_stage() else []
        if never_ran(stage):
            reasons = [*NEVER_RAN]
        else:
            known = [dep for dep in stage.deps if not {*unknown} & {*self._overlapping(dep)}]
            reasons += [reason for dep in known for reason in self._compare(dep)]
        if reasons or upstream:
            outs = self._foresee(stage) if not upstream else {}
            self._future |= {out.fs_path: outs.get(out.fs_path) for out in stage.outs}
            self._producers |= dict.fromkeys((out.fs_path for out in stage.outs), stage.name)
        return (*reasons, *upstream)

    def _overlapping(self, dep: Output) -> list[str]:
        place = str(dep.fs_path)
        return [path for path in self._future if overlap(place, path)]

    def _compare(self, dep: Output) -> list[StageReason]:
        """Return how a dependency differs from its record; what earlier stages would leave in it is known."""
        future = self._future.get(dep.fs_path)
        if isinstance(dep, ParamsDependency):
            values = read_parameters(dep, None) if future is None else _read_values(dep, future)
            return compare_parameter_values(dep, values)
        if future is not None:
            return [] if _hash(self._repo, str(future), localfs) == dep.hash_info.value else [_reason(dep, "modified")]
        return [_reason(dep, word) for word in self._compare_file(dep)]

    def _compare_file(self, dep: Output) -> list[str]:
        """Return how a dependency, as the revision itself holds it, differs from its record: one word, or none."""
        if self._is_whole(dep):
            return [str(word) for word in dep.status().values()]
        out = self._outs.get(dep.fs_path)
        if out is not None:
            return [] if out.hash_info == dep.hash_info else ["modified"]
        try:
            actual = _hash(self._repo, _path(dep), self._repo.dvcfs)
        except FileNotFoundError:
            return ["deleted"]
        except DataIndexDirError:
            return []
        return [] if actual == dep.hash_info.value else ["modified"]

    def _is_whole(self, dep: Output) -> bool:
        """Return whether the files of the revision hold the whole dependency: in Git, or checked out on disk."""
        kept = [out for path, out in self._outs.items() if overlap(str(dep.fs_path), path)]
        return bool(dep.exists) and (all(out.exists for out in kept) if self._is_local else not kept)

    def _foresee(self, stage: PipelineStage) -> dict[str, Path]:
        """Return by path the files that a foreseeable stage would leave, {} for another one, or if it fails."""
        words = shlex.split(stage.cmd) if isinstance(stage.cmd, str) else []
        if not (stage.meta or {}).get("foreseeable") or words[:3] != ["python", "-m", "pipeline"]:
            return {}
        arguments = dict(zip(words[4::2], words[5::2], strict=False))
        if not {out.def_path for out in stage.outs} <= {*arguments.values()}:  # it would write into the working tree
            return {}
        made = {out.def_path: self._place(out.def_path) for out in stage.outs}
        try:
            paths = {name[2:]: made.get(path) or self._find(stage, path) for name, path in arguments.items()}
            run = load(words[3])
            run(**bind_facets(read_declaration(run), None), **paths)
        except _FAULTS:
            return {}
        return {out.fs_path: made[out.def_path] for out in stage.outs}

    def _place(self, path: str) -> Path:
        """Return an unused place in the scratch folder for a file of the same name."""
        folder = self._scratch / str(len(list(self._scratch.iterdir())))
        folder.mkdir()
        return folder / Path(path).name

    def _find(self, stage: PipelineStage, path: str) -> Path:
        """Return an input of a stage as a file or folder on disk."""
        source = self._repo.fs.join(stage.wdir, path)
        future = self._future.get(source)
        if future is not None:
            return future
        if self._is_local:
            return Path(source)
        place = self._place(path)
        for file in self._repo.fs.find(source):
            target = place.joinpath(*self._repo.fs.relparts(file, source)) if file != source else place
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self._repo.fs.cat_file(file))
        return place


def _read_values(dep: ParamsDependency, file: Path) -> dict[str, object]:
    return dict(read_param_file(localfs, str(file), list(dep.params) or None, flatten=True))


def _hash(repo: Repo, path: str, files: FileSystem) -> str:
    """Return DVC's hash of a file or folder; that of a file which DVC keeps is known without its content."""
    info = files.info(path)
    if info["type"] == "file" and "md5" in info:
        return str(info["md5"])
    _, _, content = build(repo.cache.local, path, files, "md5", dry_run=True)
    return str(content.hash_info.value)


def _reason(dep: Output, word: str) -> StageReason:
    return StageReason("dependency", _path(dep), new=word)


def _path(dep: Output) -> str:
    """Return the path of a dependency from the project's folder."""
    return "/".join(dep.fs.relparts(dep.fs_path, dep.repo.root_dir))
