"""dvc.lock and DVC's table of readers and writers: repaired after a kill, and kept in DVC's own order."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.utils.serialize import dump_yaml, load_yaml

from pipeline.core.files import publish
from pipeline.repository.access import open_repository
from pipeline.repository.plan import PlannedStage


def repair() -> list[str]:
    """Repair the files of a DVC that was killed while it wrote them, and return one line per repair.

    DVC writes dvc.lock and its table of readers and writers in place. Both are checked under its lock, while nobody
    else writes. An unreadable table is emptied: whoever had an entry in it is dead. An unreadable dvc.lock is replaced
    by its last readable state; a stage that has ended since then is restored or runs again.

    Raises:
        EnvironmentFault: There is no DVC repository.
    """
    with open_repository() as repo, repo.lock:
        repairs = []
        table, lock, copy = Path(repo.tmp_dir, "rwlock"), Path("dvc.lock"), Path(repo.tmp_dir, "dvc.lock.good")
        if table.is_file() and not _is_json(table):
            table.unlink()
            repairs.append(f"{table.name}: unreadable, emptied")
        if lock.is_file() and _is_lock(lock):
            with publish(copy) as partial:
                shutil.copyfile(lock, partial)
        elif lock.is_file() and copy.is_file():
            with publish(lock) as partial:
                shutil.copyfile(copy, partial)
            repairs.append(f"{lock}: unreadable, replaced by its last readable state")
        return repairs


def list_locked_stages() -> list[str]:
    """Return the names of the stages in dvc.lock, in its order."""
    return list((load_yaml("dvc.lock") or {}).get("stages", {})) if Path("dvc.lock").is_file() else []


def restore_order(before: Sequence[str], plan: Sequence[PlannedStage]) -> None:
    """Sort dvc.lock as one `dvc repro` would have left it, if stages have ended in another order.

    The stages of `before` keep their places; new ones follow in the order of the plan.
    """
    with open_repository() as repo, repo.lock:
        names = list_locked_stages()
        order = {name: place for place, name in enumerate(dict.fromkeys((*before, *(stage.name for stage in plan))))}
        ordered = sorted(names, key=lambda name: order.get(name, len(order)))
        if ordered != names:
            document = load_yaml("dvc.lock")
            document["stages"] = {name: document["stages"][name] for name in ordered}
            with publish(Path("dvc.lock")) as partial:
                dump_yaml(str(partial), document)


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
