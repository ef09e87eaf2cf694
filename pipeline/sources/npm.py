"""Files of an npm package, from the registry of the user's own npm configuration; nothing of it is run."""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from functools import partial
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from pipeline.core.errors import DataError, EnvironmentFault, UsageError
from pipeline.settings.sources import NpmSource
from pipeline.sources.tarball import unpack_tarball

REGISTRY = "https://registry.npmjs.org"
_CHUNK = 1 << 20
_NOT_FOUND = 404
_PREFIX = "package/"  # of every name in the archive of a package
_SETTING = re.compile(r"^\s*((?:@[\w.-]+:)?registry)\s*=\s*[\"']?(https?://[^\s\"']+)", re.MULTILINE)


def bring_npm_package(params: NpmSource, folder: Path, scratch: Path) -> None:
    """Write the chosen files of a package below `folder`; the archive itself is downloaded to `scratch`.

    Raises:
        UsageError: There is no such version or file.
        DataError: The archive has another sha256, is too large, or is not an honest one (see `unpack_tarball`).
        EnvironmentFault: The download failed.
    """
    archive = scratch / "package.tgz"
    registry = find_registry(params.package, os.environ, Path.home())
    _download(name_tarball(registry, params.package, params.version), archive, params)
    unpack_tarball(archive, params.files, folder, prefix=_PREFIX, suffix=params.suffix, max_bytes=params.max_bytes)


def find_registry(package: str, environment: Mapping[str, str], home: Path) -> str:
    """Return the address of the registry that npm would ask for a package: that of its scope, or the default one.

    It is read from `npm_config_registry`, then from the user's .npmrc (`NPM_CONFIG_USERCONFIG`).
    """
    named = {key.lower(): value for key, value in environment.items()}
    file = Path(named.get("npm_config_userconfig") or home / ".npmrc")
    settings = dict(_SETTING.findall(file.read_text(encoding="utf-8"))) if file.is_file() else {}
    scope = package.partition("/")[0] + ":registry" if package.startswith("@") else "registry"
    chosen = settings.get(scope) if scope != "registry" else None
    return (chosen or named.get("npm_config_registry") or settings.get("registry") or REGISTRY).rstrip("/")


def name_tarball(registry: str, package: str, version: str) -> str:
    """Return the address of the archive of a package's version."""
    return f"{registry}/{package}/-/{package.rpartition('/')[2]}-{version}.tgz"


def _download(url: str, path: Path, params: NpmSource) -> None:
    pinned = f"{params.package}@{params.version}"
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as out:
        for chunk in _receive(url, pinned, params.timeout):
            size += len(chunk)
            if size > params.max_bytes:
                raise DataError(f"{pinned}: has more than {params.max_bytes} bytes. Raise `fetch.max_bytes` if it may.")
            digest.update(chunk)
            out.write(chunk)
    if digest.hexdigest() != params.sha256:
        raise DataError(
            f"{pinned}: another sha256 than the source, found {digest.hexdigest()}; it was not opened. Find out why; "
            "write it into params.yaml only if the new archive is meant."
        )


def _receive(url: str, pinned: str, timeout: int) -> Iterator[bytes]:
    if not url.startswith(("https://", "http://")):
        raise UsageError(f"{pinned}: the registry must be an address of http or https, found {url!r}. Correct .npmrc.")
    try:
        with urlopen(Request(url), timeout=timeout) as response:  # noqa: S310 - the scheme is checked above
            yield from iter(partial(response.read, _CHUNK), b"")
    except HTTPError as error:
        if error.code == _NOT_FOUND:
            raise UsageError(f"{pinned}: the registry has no such version. Correct its name and version.") from error
        raise EnvironmentFault(f"{pinned}: the registry answers {error.code}. Run again later.") from error
    except (OSError, HTTPException) as error:
        raise EnvironmentFault(
            f"{pinned}: the registry could not be reached, {error}. Run again when it can be."
        ) from error
