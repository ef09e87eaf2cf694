"""dvc.lock and DVC's table of readers and writers: repaired after a kill, and kept in DVC's own order."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.utils.serialize import dump_yaml, load_yaml

from pipeline.core.files import publish
from pipeline.repository.access import open_repository
from pipeline.repository.plan import PlannedStage

DVC_LOCK = Path("dvc.lock")


def repair() -> list[str]:
    """Repair the files of a DVC that was killed while it wrote them, and return one line per repair.

    DVC writes dvc.lock and its table of readers and writers in place. Both are checked under its lock, while nobody
    else writes. An unreadable table is emptied: whoever had an entry in it is dead. An unreadable dvc.lock is replaced
    by its last readable state; a stage that has ended since then is restored or runs again. If there is none, a kill
    met its first writing: then an empty one is removed, and any other is left for the user to correct.

    Raises:
        EnvironmentFault: There is no DVC repository.
    """
    with open_repository() as repo, repo.lock:
        repairs = []
        table, lock, copy = Path(repo.tmp_dir, "rwlock"), DVC_LOCK, Path(repo.tmp_dir, "dvc.lock.good")
        if table.is_file() and not _is_json(table):
            table.unlink()
            repairs.append(f"{table.name}: unreadable, emptied")
        if _read_lock(lock) is not None:
            with publish(copy) as partial:
                shutil.copyfile(lock, partial)
        elif lock.is_file() and copy.is_file():
            with publish(lock) as partial:
                shutil.copyfile(copy, partial)
            repairs.append(f"{lock}: unreadable, replaced by its last readable state")
        elif lock.is_file() and not lock.stat().st_size:
            lock.unlink()
            repairs.append(f"{lock}: empty, removed")
        return repairs


def list_locked_stages() -> list[str]:
    """Return the names of the stages in dvc.lock, in its order; none if it is missing or unreadable."""
    return list(read_entries())


def read_entries() -> dict[str, Any]:
    """Return the entries of dvc.lock by stage; none if it is missing or unreadable."""
    return dict((_read_lock(DVC_LOCK) or {}).get("stages") or {})


def restore_order(before: Sequence[str], plan: Sequence[PlannedStage]) -> None:
    """Sort dvc.lock as one `dvc repro` would have left it, if stages have ended in another order.

    The stages of `before` keep their places; new ones follow in the order of the plan.
    """
    with open_repository() as repo, repo.lock:
        document = _read_lock(DVC_LOCK) or {}  # unreadable: a kill was in between, and the next run repairs it
        names = list(document.get("stages") or {})
        order = {name: place for place, name in enumerate(dict.fromkeys((*before, *(stage.name for stage in plan))))}
        ordered = sorted(names, key=lambda name: order.get(name, len(order)))
        if ordered != names:
            document["stages"] = {name: document["stages"][name] for name in ordered}
            with publish(DVC_LOCK) as partial:
                dump_yaml(str(partial), document)


def _is_json(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_text(encoding="utf-8")), dict)
    except ValueError:
        return False


def _read_lock(path: Path) -> dict[str, Any] | None:
    """Return the document of a dvc.lock; None if it is missing or unreadable."""
    try:
        document = load_yaml(str(path)) if path.is_file() else None
    except (DvcException, ValueError):
        return None
    return document if isinstance(document, dict) and document.get("schema") else None
