"""dvc.lock and DVC's table of readers and writers: repaired after a kill, and put into DVC's own order."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.utils.serialize import dump_yaml, load_yaml

from pipeline.core.files import publish
from pipeline.repository.plan import Step


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
