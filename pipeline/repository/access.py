"""The access to DVC's repository of a project."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dvc.exceptions import DvcException, NotDvcRepoError
from dvc.repo import Repo

from pipeline.core.errors import EnvironmentFault, UsageError


@contextmanager
def open_repository(root: Path = Path()) -> Iterator[Repo]:
    """Yield DVC's repository of the project at `root` (the working directory); whoever takes its lock waits for it.

    Raises:
        UsageError: DVC failed, here or in the body, say at a broken dvc.yaml, dvc.lock or .dvc file.
        EnvironmentFault: There is no repository.
    """
    try:
        with Repo(str(root), _wait_for_lock=True) as repo:
            yield repo
    except NotDvcRepoError as error:
        raise EnvironmentFault(
            f"{root.resolve()}: not a DVC repository, {error}. Run in the project's folder."
        ) from error
    except DvcException as error:
        why = f" ({error.__cause__})" if error.__cause__ else ""
        raise UsageError(f"{root.resolve()}: DVC cannot read the project, {error}{why}. Correct the file.") from error
