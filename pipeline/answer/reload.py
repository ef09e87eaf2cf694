"""Reloading: a model whose files change is loaded beside the model that answers, and takes its place."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from pipeline.answer.batcher import Batcher
from pipeline.answer.log import log_event
from pipeline.answer.service import Service
from pipeline.core.errors import PipelineError
from pipeline.predict.predictor import list_decision_files

SECONDS_BETWEEN_LOOKS = 1.0

Stamp = frozenset[tuple[str, int, int]]


def stamp(folder: Path) -> Stamp:
    """Return what changes if a model does: names, times and sizes of its files; empty if it is just being replaced.

    The decision of a model folder may stand beside it, and counts too.
    """
    try:
        decisions = [path for path in list_decision_files(folder) if path.is_file()]
        stats = [(path.name, path.stat()) for path in (*folder.iterdir(), *decisions)]
    except OSError:
        return frozenset()
    return frozenset((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats)


async def keep_current(service: Service, name: str, folder: Path, seen: Stamp, load: Callable[[], Batcher]) -> None:
    """Look at a folder again and again; if its content changes, exchange the model without dropping a request.

    The new model is loaded, probed and measured first. One that cannot be loaded, perhaps since it is still being
    written, is logged, and tried again when the folder has changed again; meanwhile the old one answers. `seen` is the
    stamp of the folder when the model was loaded.
    """
    while True:
        await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
        now = await asyncio.to_thread(stamp, folder)
        if now in (frozenset(), seen):
            continue
        seen = now
        try:
            batcher = await asyncio.to_thread(load)
        # A half-written folder fails in any way, and this loop must outlive it: the old model answers on.
        except Exception as error:
            known = isinstance(error, PipelineError | OSError)
            log_event("not reloaded", model=name, error=str(error) if known else repr(error))
            continue
        before = service.exchange(name, batcher)
        log_event("reloaded", model=name, version=batcher.predictor.version, before=before.predictor.version)
        await retire(before)


async def retire(batcher: Batcher) -> None:
    """Wait for the requests that a batcher has accepted, then end its threads."""
    while batcher.users:
        await asyncio.sleep(0.02)
    await asyncio.to_thread(batcher.close)
