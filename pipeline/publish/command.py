"""The command `publish`: a model of the last commit collected, described and, if it is to be, sent."""

from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.core.command import read_output
from pipeline.core.errors import NotReproduced
from pipeline.core.format import count, plural, visible
from pipeline.publish.hub_upload import send_to_hub
from pipeline.publish.publication import Publication, collect_publication
from pipeline.publish.registry import send_to_folder
from pipeline.repository.revisions import resolve_revision

_HUB = "hub:"


def publish_model(task: str, target: str, *, send: bool) -> None:
    """Print what goes of a task's model at the last commit, and send it if `send`.

    Raises:
        UsageError: The commit has no results of the task, or the target is wrong.
        EnvironmentFault: A file, the registry or the hub failed.
        NotReproduced: The results are not those of the commit's own code, parameters and data.
    """
    root = Path.cwd()
    at = resolve_revision(root, "HEAD")
    repository = target.removeprefix(_HUB) if target.startswith(_HUB) else None
    with TemporaryDirectory() as scratch:
        staged = Path(scratch)
        publication = collect_publication(task, at, staged, model=repository or ".")
        print(describe_publication(publication, target, uncommitted=_count_uncommitted(root)))
        if publication.fault:
            raise NotReproduced(
                f"{publication.fault}. Run `dvc repro`, commit dvc.lock with the metrics, then publish."
            )
        if not send:
            print("Nothing was sent. Add --send to publish.")
        elif repository is None:
            print(f"Published: {send_to_folder(publication, staged, Path(target))}")
        else:
            print(f"Published: {send_to_hub(publication, staged, repository)}")


def describe_publication(publication: Publication, target: str, *, uncommitted: int) -> str:
    """Return a line for each file with its bytes and SHA-256, the sum, and the notes."""
    width = max(len(file.path) for file in publication.files)
    files = [f"  {file.path:{width}}  {count(file.size):>13}  {file.sha256}" for file in publication.files]
    total = sum(file.size for file in publication.files)
    notes = list(publication.notes)
    if uncommitted:
        notes.append(f"{plural(uncommitted, 'uncommitted change is', 'uncommitted changes are')} left out")
    return "\n".join(
        [
            f"{publication.task} {publication.version}, of commit {publication.commit}, to {visible(target)}:",
            *files,
            f"{plural(len(files), 'file')}, {plural(total, 'byte')}.",
            *(f"Note: {visible(note)}." for note in notes),
        ]
    )


def _count_uncommitted(root: Path) -> int:
    return len(read_output(["git", "status", "--porcelain"], cwd=root).splitlines())
