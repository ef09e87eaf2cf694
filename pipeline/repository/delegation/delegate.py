"""The delegate's part: one stage of a run that another machine drives, reproduced in the working directory, a clone."""

import time
from pathlib import Path

from dvc.cli import main
from dvc.exceptions import DvcException
from dvc.output import Output
from dvc.repo import Repo
from dvc.stage import Stage
from dvc.utils.serialize import dump_yaml

from pipeline.core.command import read_output
from pipeline.core.errors import EnvironmentFault, listed
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
from pipeline.repository.forecast import overlap
from pipeline.repository.lock_file import DVC_LOCK, read_entries


def lay_order(order: StageOrder) -> None:
    """Make the dependencies of an ordered stage those of the machine that drives the run.

    Nobody else may use the clone.

    Raises:
        EnvironmentFault: The remote cannot be reached, or a dependency is not the same.
    """
    dump_yaml(str(DVC_LOCK), {"schema": "2.0", "stages": order.entries})
    write_small_files(order.files)
    with open_repository() as repo:
        # DVC's table of readers and writers: whoever is in it is dead, and a kill or a full disk may have cut it
        Path(repo.tmp_dir, "rwlock").unlink(missing_ok=True)
        if order.pulls:
            with reach_remote(order.stage):
                repo.pull(targets=join_groups(repo, order.pulls), run_cache=False, force=True)
        stage = find_stage(repo, order.stage)
        _remove_strangers(repo, stage)
        other = [dep.def_path for dep in list_file_deps(stage) if _hash(dep) != order.hashes.get(dep.def_path)]
    if other:
        raise EnvironmentFault(
            f"{order.stage}: {len(other)} input(s) are not those of the machine that drives the run, {listed(other)}. "
            "Commit or `dvc add` what no stage makes, then run again."
        )


def reproduce_order(order: StageOrder) -> tuple[int, float]:
    """Reproduce the ordered stage as `dvc repro --single-item`; return its exit code and the seconds it took."""
    start = time.monotonic()
    code = main(["--wait-for-lock", "repro", "--single-item", order.stage])
    return code, time.monotonic() - start


def ship_delivery(order: StageOrder, seconds: float) -> StageDelivery:
    """Push the outputs of the reproduced stage to the remote, and return the delivery.

    Raises:
        EnvironmentFault: The remote cannot be reached.
    """
    with open_repository() as repo:
        stage = find_stage(repo, order.stage)
        if has_cached_outs(stage):
            with reach_remote(order.stage):
                repo.push(targets=[order.stage], run_cache=False)
        return StageDelivery(read_entries()[order.stage], read_small_files(stage), seconds)


def _remove_strangers(repo: Repo, stage: Stage) -> None:
    """Remove from the folders that a stage reads what neither Git nor a stage that it needs has put there.

    Raises:
        EnvironmentFault: A folder lies outside of the clone; nothing of it is removed.
    """
    clone = Path.cwd().resolve()
    outs = [out.fs_path for need in list_needs(repo, stage) for out in need.outs]
    kept = {str(Path(name).absolute()) for name in read_output(["git", "ls-files", "-z"]).split("\0")}
    for folder in (Path(dep.fs_path) for dep in list_file_deps(stage)):
        if not folder.resolve().is_relative_to(clone):
            raise EnvironmentFault(
                f"{stage.addressing}: input {folder} lies outside of the repository, which other machines do not have. "
                "Run this stage without --on."
            )
        for file in folder.rglob("*") if folder.is_dir() else ():
            if not file.is_dir() and str(file) not in kept and not any(overlap(str(file), out) for out in outs):
                file.unlink()


def _hash(dep: Output) -> str | None:
    """Return DVC's hash of a dependency as it is on disk; None if it is not there."""
    try:
        dep.save()
    except DvcException:
        return None
    return str(dep.hash_info.value)
