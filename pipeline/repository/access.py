"""The access to DVC's repository of a project."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo

from pipeline.core.errors import EnvironmentFault


@contextmanager
def open_repository(root: Path = Path()) -> Iterator[Repo]:
    """Yield DVC's repository of the project at `root` (the working directory); whoever takes its lock waits for it.

    Raises:
        EnvironmentFault: There is none.
    """
    try:
        repo = Repo(str(root), _wait_for_lock=True)
    except DvcException as error:
        raise EnvironmentFault(
            f"{root.resolve()}: not a DVC repository, {error}. Run in the project's folder."
        ) from error
    with repo:
        yield repo
