"""Files of a dataset or model of the Hugging Face Hub at one commit, compared with the checksums the hub states."""

import fnmatch
import glob
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.hf_api import RepoFile

from pipeline.core.errors import DataError, EnvironmentFault, UsageError, listed
from pipeline.core.files import sha256
from pipeline.settings.fields import inside
from pipeline.settings.sources import HubSource, plain
from pipeline.sources.archive import nearest
from pipeline.sources.dataset import join

JOINED = "dataset.parquet"


def bring_repository(params: HubSource, folder: Path, scratch: Path) -> None:
    """Write the chosen files below `folder`: as they are, or joined to one Parquet file if `files` maps splits.

    What the download leaves beside the files goes to `scratch`, an empty folder.

    Raises:
        UsageError: There is no such repository, revision or file, or a file is of a kind that may hold code.
        DataError: A file is not what the hub says it is, or there are more than `max_bytes`.
        EnvironmentFault: The hub could not be reached, or the download broke off.
    """
    listed = list_files(params)
    splits = params.files if isinstance(params.files, dict) else {"": params.files}
    chosen = {split: choose(globs, listed) for split, globs in splits.items()}
    wanted = {name: listed[name] for names in chosen.values() for name in names}
    check_size(wanted, params.max_bytes)
    download(params, list(wanted), scratch)
    for name, file in wanted.items():
        verify(scratch / name, file)
    if isinstance(params.files, dict):
        join({split: [scratch / name for name in chosen[split]] for split in params.files}, folder / JOINED)
        return
    for name in wanted:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (scratch / name).rename(folder / name)


def list_files(params: HubSource) -> dict[str, RepoFile]:
    """Return every file of the repository at the revision, by path, with its size and checksum.

    Raises:
        UsageError: There is no such repository or revision.
        EnvironmentFault: The hub could not be reached.
    """
    with _faults(params):
        entries = HfApi().list_repo_tree(params.id, recursive=True, revision=params.revision, repo_type=params.type)
        return {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}


def choose(globs: Sequence[str], names: Mapping[str, object]) -> list[str]:
    """Return the names that match any of `globs` (`*` matches `/` too), in the order of `globs`, each once.

    Raises:
        UsageError: A glob matches nothing, or a name that is unsafe or of a kind that may hold code.
    """
    chosen: dict[str, None] = {}
    for pattern in globs:
        found = sorted(name for name in names if name == pattern or fnmatch.fnmatchcase(name, pattern))
        if not found:
            raise UsageError(f"the repository has no file {pattern!r}. {nearest(pattern, names)}")
        try:
            chosen.update((inside(plain(name)), None) for name in found)
        except ValueError as error:
            raise UsageError(
                f"`files` {pattern!r} would bring a file that is refused: {error}. Name the files."
            ) from error
    return list(chosen)


def check_size(files: Mapping[str, RepoFile], max_bytes: int) -> None:
    """Return if the files have no more than `max_bytes` together.

    Raises:
        DataError: They have more.
    """
    total = sum(file.size for file in files.values())
    if total > max_bytes:
        raise DataError(
            f"the files have {total} bytes, more than the {max_bytes} of `fetch.max_bytes`. Raise it, or name fewer."
        )


def download(params: HubSource, names: Sequence[str], folder: Path) -> None:
    """Write the named files of the repository below `folder`, and `.cache` beside them.

    Raises:
        EnvironmentFault: The hub could not be reached, or the download broke off.
    """
    # The library reads this at each request; its only other way in is an environment variable.
    constants.HF_HUB_DOWNLOAD_TIMEOUT = params.timeout
    with _faults(params):
        snapshot_download(
            params.id,
            repo_type=params.type,
            revision=params.revision,
            allow_patterns=[glob.escape(name) for name in names],
            local_dir=folder,
            cache_dir=folder / ".cache",
            etag_timeout=params.timeout,
        )


def verify(path: Path, stated: RepoFile) -> None:
    """Return if a file has the checksum that the hub states: SHA-256 for a large one, Git's blob id otherwise.

    Raises:
        DataError: It has another one.

    Source: https://git-scm.com/book/en/v2/Git-Internals-Git-Objects ("Object Storage").
    """
    if stated.lfs is not None:
        expected, found = stated.lfs.sha256, sha256(path)
    else:
        blob = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
        with path.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                blob.update(chunk)
        expected, found = stated.blob_id, blob.hexdigest()
    if found != expected:
        raise DataError(
            f"{stated.path!r} has the checksum {found}, and the hub states {expected} for it at this revision. "
            "Nothing was kept. Run `dvc repro` once more; if it stays so, do not trust this copy."
        )


@contextmanager
def _faults(params: HubSource) -> Iterator[None]:
    """Turn what the library raises into the errors of this pipeline."""
    where = f"{params.type} {params.id} at {params.revision} on {constants.ENDPOINT}"
    try:
        yield
    except RevisionNotFoundError as error:
        raise UsageError(f"{where}: there is no such revision. Give the 40 digits of one of its commits.") from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise UsageError(
            f"{where}: there is no such repository, or it is private or gated. Check `id` and `type`; for a gated one, "
            "accept its terms and log in with `hf auth login`."
        ) from error
    # Below the library lie an HTTP client, a transfer engine and a JSON reader, each with errors of its own.
    except Exception as error:
        reason = listed([str(error)], width=300)
        raise EnvironmentFault(
            f"{where} could not be brought: {type(error).__name__}: {reason}. Run again when the hub can be reached."
        ) from error
