"""The delegation of stages to other machines, on the machine that drives the run: it alone writes its dvc.lock."""

from collections.abc import Collection
from pathlib import Path

from dvc.repo import lock_repo
from dvc.stage.loader import StageLoader

from pipeline.core.errors import EnvironmentFault
from pipeline.repository.access import open_repository
from pipeline.repository.delegation.exchange import (
    find_stage,
    has_cached_outs,
    join_groups,
    list_file_deps,
    list_needs,
    reach_remote,
    read_small_files,
    write_small_files,
)
from pipeline.repository.delegation.order import StageDelivery, StageOrder
from pipeline.repository.durations import record_duration
from pipeline.repository.forecast import Future
from pipeline.repository.known_outputs import find_restorable
from pipeline.repository.lock_file import read_entries


def require_shared_remote() -> None:
    """Require that DVC has a default remote, outside of `.dvc/config.local`, at an address that holds everywhere.

    Raises:
        EnvironmentFault: It has none, or one that is relative to this folder, or there is no DVC repository.
    """
    with open_repository() as repo:
        name, shared = repo.config["core"].get("remote"), repo.config.load_config_to_level("local")
        files = [Path(file) for level, file in repo.config.files.items() if level != "local"]
    if name is None:
        raise EnvironmentFault(
            ".dvc/config: no default remote, through which machines share data. Run `dvc remote add --default NAME "
            "URL`, and commit .dvc/config."
        )
    url = shared["remote"].get(name, {}).get("url")
    if url is None or shared["core"].get("remote") != name:
        raise EnvironmentFault(
            f".dvc/config.local: the default remote {name!r} is set there, for this machine alone. Move it to "
            ".dvc/config, and commit that."
        )
    if not any(url in file.read_text(encoding="utf-8") for file in files if file.is_file()):  # DVC made it absolute
        raise EnvironmentFault(
            f".dvc/config: the remote {name!r} is a path relative to this folder, {url}. Give an absolute path or a "
            "URL that all machines reach, and commit .dvc/config."
        )


def place_order(name: str, shared: Collection[str]) -> StageOrder | None:
    """Return the order of a stage, or None if its outputs can be restored here.

    The outputs of the stages that it needs are pushed to the remote, unless these are in `shared`: a worker has.

    Raises:
        EnvironmentFault: The remote cannot be reached, or there is no DVC repository.
        UsageError: DVC cannot read the project, or a dependency is missing.
    """
    with open_repository() as repo, lock_repo(repo):
        stage = find_stage(repo, name)
        if find_restorable(stage, Future({}, {})) is not None:
            return None
        stage.save_deps()
        needs = list_needs(repo, stage)
        pulls = [str(need.addressing) for need in needs if has_cached_outs(need)]
        if missing := [need for need in pulls if need not in shared]:
            with reach_remote(name):
                repo.push(targets=join_groups(repo, missing), run_cache=False)
        entries = read_entries()
        return StageOrder(
            stage=name,
            pulls=pulls,
            entries={need.addressing: entries[need.addressing] for need in needs if need.addressing in entries},
            files={path: content for need in needs for path, content in read_small_files(need).items()},
            hashes={dep.def_path: dep.hash_info.value for dep in list_file_deps(stage)},
        )


def accept_delivery(name: str, delivery: StageDelivery, machine: str, *, timed: bool) -> None:
    """Bring the outputs of a stage that ran on `machine` here, and record it in dvc.lock as if it had run here.

    Its duration is recorded if it is `timed`: it has run, and was not restored.

    Raises:
        EnvironmentFault: The remote cannot be reached or lacks an output, or there is no DVC repository.
        UsageError: DVC cannot read the project.
    """
    with open_repository() as repo, lock_repo(repo):
        stage = find_stage(repo, name)
        StageLoader.fill_from_lock(stage, delivery.entry)
        stage.cmd = delivery.entry["cmd"]
        with reach_remote(name):
            for objects in stage.get_used_objs().values():
                repo.cloud.pull(objects)
            if lost := stage.checkout(force=True).get("failed"):
                raise EnvironmentFault(f"{name}: not on DVC's remote, {', '.join(lost)}. Run again.")
        write_small_files(delivery.files)
        stage.ignore_outs()
        if all(out.use_cache or out.is_metric or out.is_plot for out in stage.outs):  # as DVC itself decides
            repo.stage_cache.save(stage)
        stage.dump(update_pipeline=False)
    if timed:
        record_duration(Path(), name, delivery.seconds, machine)
