"""The exchange of a stage's files between machines: large ones by DVC's remote, small ones as bytes."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from dvc.dependency.param import ParamsDependency
from dvc.output import Output
from dvc.repo import Repo
from dvc.stage import PipelineStage, Stage

from pipeline.core.errors import EnvironmentFault, PipelineError
from pipeline.core.files import publish


def find_stage(repo: Repo, name: str) -> Stage:
    """Return the stage of that name.

    Raises:
        EnvironmentFault: There is none any more.
    """
    for stage in repo.index.stages:
        if stage.addressing == name:
            return stage
    raise EnvironmentFault(f"dvc.yaml: no stage {name} any more. Leave dvc.yaml as it is during a run, then run again.")


def list_needs(repo: Repo, stage: Stage) -> list[Stage]:
    """Return the stages that a stage needs directly, sorted by name."""
    return sorted(repo.index.graph.successors(stage), key=lambda need: str(need.addressing))


def join_groups(repo: Repo, names: Sequence[str]) -> list[str]:
    """Return targets of DVC that stand for stages: the name of a group in place of those of all of its stages.

    DVC reads dvc.yaml and dvc.lock anew for each target, which takes a quarter of a second for 500 stages.
    """
    groups = {  # by the name of each stage that a matrix or a loop makes
        name: group
        for stage in repo.index.stages
        if isinstance(stage, PipelineStage) and (group := (name := str(stage.addressing)).rpartition("@")[0])
    }
    wanted = {*names}
    broken = {group for name, group in groups.items() if name not in wanted}
    return list(dict.fromkeys(group if (group := groups.get(name, name)) not in broken else name for name in names))


def has_cached_outs(stage: Stage) -> bool:
    """Return whether DVC keeps an output of the stage, so that it goes through the remote."""
    return any(out.use_cache for out in stage.outs)


def list_file_deps(stage: Stage) -> list[Output]:
    """Return the dependencies that are files or folders of the project: parameters are values of such files."""
    return [dep for dep in stage.deps if not isinstance(dep, ParamsDependency) and dep.protocol == "local"]


def read_small_files(stage: Stage) -> dict[str, bytes]:
    """Return by path the files of a stage that Git keeps: outputs outside of DVC's cache, and its own `.dvc` file."""
    root = Path(stage.repo.root_dir)
    places = [Path(out.fs_path) for out in stage.outs if not out.use_cache]
    if not isinstance(stage, PipelineStage):
        places.append(Path(stage.path))
    files = [file for place in places for file in (sorted(place.rglob("*")) if place.is_dir() else [place])]
    return {file.relative_to(root).as_posix(): file.read_bytes() for file in files if file.is_file()}


def write_small_files(files: Mapping[str, bytes]) -> None:
    """Write files at their paths in the working directory, each whole."""
    for path, content in files.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with publish(Path(path)) as partial:
            partial.write_bytes(content)


@contextmanager
def reach_remote(stage: str) -> Iterator[None]:
    """Turn whatever fails in the body, which sends or fetches the files of a stage, into one error.

    Raises:
        EnvironmentFault: Something failed.
    """
    try:
        yield
    except PipelineError:
        raise
    except Exception as error:  # of DVC, of the file system behind the remote, or of its own client
        raise EnvironmentFault(
            f"{stage}: the exchange with DVC's remote failed, {error}. Check the remote, its credentials and its "
            "space, then run again."
        ) from error
