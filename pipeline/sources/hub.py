"""Files of a dataset or model of the Hugging Face Hub at one commit, compared with the checksums the hub states."""

import fnmatch
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from huggingface_hub import HfApi, constants, get_session, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import build_hf_headers, hf_raise_for_status  # type: ignore[attr-defined]

from pipeline.core.errors import DataError, EnvironmentFault, PipelineError, UsageError, listed
from pipeline.core.files import sha256
from pipeline.settings.fields import require_relative
from pipeline.settings.sources import HubSource, require_plain_suffix
from pipeline.sources.archive import name_nearest

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_TRIES = 3


def list_files(params: HubSource) -> dict[str, RepoFile]:
    """Return each file of the repository at the revision, by path, with its size and checksum.

    Raises:
        UsageError: There is no such repository or revision.
        EnvironmentFault: The hub could not be reached.
    """
    with _translate_errors(params):
        _open_session(params.timeout)
        entries = HfApi().list_repo_tree(params.id, recursive=True, revision=params.revision, repo_type=params.type)
        return {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}


def resolve_commit(params: HubSource) -> str:
    """Return the commit, 40 digits, of the repository's branch, tag or commit `params.revision`.

    Raises:
        UsageError: There is no such repository or revision.
        EnvironmentFault: The hub could not be reached.
    """
    with _translate_errors(params):
        _open_session(params.timeout)
        return str(HfApi().repo_info(params.id, revision=params.revision, repo_type=params.type).sha)


def select_files(globs: Sequence[str], names: Mapping[str, object]) -> list[str]:
    """Return the names that match any of `globs` (`*` matches `/` too), in the order of `globs`, each once.

    Raises:
        UsageError: A glob matches nothing, or a name that is unsafe or of a kind that may hold code.
    """
    chosen: dict[str, None] = {}
    for pattern in globs:
        matches = sorted(name for name in names if name == pattern or fnmatch.fnmatchcase(name, pattern))
        if not matches:
            raise UsageError(f"the repository has no file {pattern!r}. {name_nearest(pattern, names)}")
        try:
            chosen.update((require_relative(require_plain_suffix(name)), None) for name in matches)
        except ValueError as error:
            raise UsageError(f"`files` {pattern!r} matches a file that is refused: {error}. Name the files.") from error
    return list(chosen)


def check_size(files: Mapping[str, RepoFile], max_bytes: int) -> None:
    """Check the size of all files together.

    Raises:
        DataError: They have more than `max_bytes`.
    """
    total = sum(file.size for file in files.values())
    if total > max_bytes:
        raise DataError(
            f"the files have {total} bytes, more than the {max_bytes} of `fetch.max_bytes`. Raise it, or name "
            "fewer files."
        )


def download_files(params: HubSource, files: Mapping[str, RepoFile], folder: Path) -> None:
    """Download the files of the repository below `folder`, and count their bytes as they come.

    Raises:
        DataError: A file has more bytes than the hub states, or a redirect leads to where none may.
        EnvironmentFault: The hub could not be reached, or each of three downloads of a file was interrupted.
    """
    with _translate_errors(params):
        for name, file in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            url = hf_hub_url(params.id, name, repo_type=params.type, revision=params.revision)
            for left in reversed(range(_TRIES)):
                try:
                    _download(url, path, file, params.timeout)
                    break
                except (OSError, PipelineError, HfHubHTTPError):
                    raise
                except Exception:  # of the HTTP client: an interrupted connection
                    if not left:
                        raise


def _download(url: str, path: Path, file: RepoFile, timeout: int) -> None:
    # Unpacked bytes cannot be counted before they are in memory, so the server is asked not to pack them, and bytes are
    # kept as they come: if it packs them all the same, the checksum differs.
    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    size = 0
    with _open_session(timeout).stream("GET", url, headers=headers) as response, path.open("wb") as out:
        hf_raise_for_status(response)
        for chunk in response.iter_raw():
            size += len(chunk)
            if size > file.size:
                raise DataError(
                    f"{file.path!r}: more bytes come than the {file.size} that the hub states for it at this revision. "
                    "Nothing was kept. Do not trust this copy."
                )
            out.write(chunk)


def _open_session(timeout: int) -> Any:
    """Return the library's HTTP client, which follows redirects, with a timeout and with `_require_safe`."""
    session = get_session()
    session.timeout = timeout
    if _require_safe not in session.event_hooks["request"]:
        session.event_hooks["request"].append(_require_safe)
    return session


def _require_safe(request: Any) -> None:
    """Require a request, of which each redirect is one, to go to the hub itself or by https.

    The loopback is allowed if the hub is there too.

    Raises:
        DataError: It does not.
    """
    hub = urlsplit(constants.ENDPOINT)
    target = urlsplit(str(request.url))
    is_hub = (target.scheme, target.netloc) == (hub.scheme, hub.netloc)
    is_local = {target.hostname, hub.hostname} <= _LOOPBACK and target.scheme == "http"
    if not (is_hub or is_local or target.scheme == "https"):
        raise DataError(
            f"{constants.ENDPOINT}: only redirects to https are followed, found one to "
            f"{listed([f'{target.scheme}://{target.netloc}'])}. Do not trust this hub."
        )


def verify(path: Path, stated: RepoFile) -> None:
    """Check that a file has the checksum that the hub states: SHA-256 for a large one, Git's blob id otherwise.

    Raises:
        DataError: It has another one.

    Source: https://git-scm.com/book/en/v2/Git-Internals-Git-Objects ("Object Storage").
    """
    if stated.lfs is not None:
        expected, actual = stated.lfs.sha256, sha256(path)
    else:
        blob = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
        with path.open("rb") as stream:
            expected, actual = stated.blob_id, hashlib.file_digest(stream, lambda: blob).hexdigest()
    if actual != expected:
        raise DataError(
            f"{stated.path!r} has the checksum {actual}, and the hub states {expected} for it at this revision. "
            "Nothing was kept. Run `dvc repro` again; if it fails again, do not trust this copy."
        )


@contextmanager
def _translate_errors(params: HubSource) -> Iterator[None]:
    """Turn the library's exceptions into the errors of this pipeline."""
    where = f"{params.type} {params.id} at {params.revision} on {constants.ENDPOINT}"
    try:
        yield
    except PipelineError:
        raise
    except RevisionNotFoundError as error:
        raise UsageError(f"{where}: there is no such revision. Give the 40 digits of one of its commits.") from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise UsageError(
            f"{where}: there is no such repository, or it is private or gated. Check `id` and `type`; for a gated one, "
            "accept its terms and log in with `hf auth login`."
        ) from error
    # The library stands on an HTTP client, a transfer engine and a JSON reader, each with errors of its own.
    except Exception as error:
        reason = listed([str(error)], width=300)
        raise EnvironmentFault(
            f"{where} could not be downloaded: {type(error).__name__}: {reason}. Run again when the hub can be reached."
        ) from error
