"""A registry of models in a folder: TASK/VERSION, each whole and never changed, and TASK/latest.json."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path

from pipeline.core.errors import EnvironmentFault
from pipeline.core.files import publish, read_json, write_json
from pipeline.publish.contents import compute_content_version, list_contents
from pipeline.publish.publication import Publication

_LATEST, _LOCK = "latest.json", ".lock"


def send_to_folder(publication: Publication, staged: Path, registry: Path) -> Path:
    """Add a version to the registry, if it has not got it, and make it the latest; return its folder.

    Raises:
        EnvironmentFault: It cannot be written, or what is there under its name is not this version.
    """
    place = registry / publication.task / publication.version
    with _locked(place.parent):
        if not place.is_dir():
            with publish(place) as partial:
                shutil.copytree(staged, partial)
                partial.chmod(place.parent.stat().st_mode)  # only its owner may read a temporary folder like `staged`
        elif compute_content_version(list_contents(place)) != publication.version:
            raise EnvironmentFault(f"{place}: not as it was published. Remove the folder, then publish again.")
        latest = place.with_name(_LATEST)
        stated = {"task": publication.task, "version": publication.version}
        if not latest.is_file() or read_json(latest, fix="Remove it, then publish again.") != stated:
            write_json(latest, stated)
    return place


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder of the registry in the body; a process that has to wait for it waits.

    Raises:
        EnvironmentFault: The folder cannot be written.
    """
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            flock(stack.enter_context((folder / _LOCK).open("w")), LOCK_EX)
        except OSError as error:
            raise EnvironmentFault(f"{folder}: cannot be written, {error}. Fix the path or its permissions.") from error
        yield
