"""The server as a process: models loaded, a port bound, requests answered until a signal, then an orderly end."""

import asyncio
import importlib
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import uvicorn
from fastapi import FastAPI

from pipeline.answer.access import Access
from pipeline.answer.app import Lifespan, make_app
from pipeline.answer.batcher import Batcher
from pipeline.answer.connection import Connection
from pipeline.answer.limits import MAX_BODY, MAX_FILE_BODY, RequestLimits
from pipeline.answer.log import log_as_json, log_event
from pipeline.answer.metrics import Metrics
from pipeline.answer.reload import keep_current, retire, stamp
from pipeline.answer.service import FindNearTexts, Patience, Service
from pipeline.core.errors import EnvironmentFault, UsageError, listed
from pipeline.core.files import read_utf8
from pipeline.predict.linear.predictor import open_predictor
from pipeline.predict.predictor import LINEAR, Backend

SHORTEST_TOKEN = 16

Watch = Callable[[], Coroutine[Any, Any, None]]


class Endpoint(NamedTuple):
    """Where a server listens, and the file of the token that it asks for."""

    host: str
    port: int
    token_file: Path | None


def answer_requests(
    folders: Sequence[Path],
    backend: Backend,
    endpoint: Endpoint,
    patience: Patience,
    *,
    reload: bool,
    neighbours: bool,
) -> None:
    """Answer requests to the models in some folders until a signal asks to stop.

    `neighbours` shows the training texts nearest to one, of tasks of the project in the working folder.

    Raises:
        UsageError: The token or the backend cannot be used, or two models have one name.
        EnvironmentFault: A model cannot be loaded, or the port cannot be bound.
    """
    token = None if endpoint.token_file is None else read_token(endpoint.token_file)
    metrics = Metrics()
    with _bind(endpoint) as bound:
        loaders = [partial(_load, folder, backend, metrics, patience) for folder in folders]
        stamps = [stamp(folder) for folder in folders]
        batchers = [load() for load in loaders]
        names = [batcher.name for batcher in batchers]
        if len(set(names)) < len(names):
            raise UsageError(f"models: two have the same name, {listed(names)}. Name each once.")
        if neighbours and (bare := [batcher.name for batcher in batchers if batcher.predictor.backend == LINEAR]):
            raise UsageError(
                f"--neighbours: {listed(bare)} answers by a linear baseline, which has none. Leave it out."
            )
        near = _open_neighbours(names) if neighbours else {}
        service = Service(dict(zip(names, batchers, strict=True)), metrics, patience, near)
        watches = [
            partial(keep_current, service, *watched)
            for watched in zip(names, folders, stamps, loaders, strict=True)
            if reload
        ]
        limited = RequestLimits(
            make_app(service, _live_with(service, watches)),
            max_body=MAX_FILE_BODY if any(batcher.reading for batcher in batchers) else MAX_BODY,
        )
        app = Access(limited, metrics, token)
        config = uvicorn.Config(
            app, http=Connection, ws="none", lifespan="on", access_log=False, log_config=None, server_header=False
        )  # fmt: skip
        log_as_json()
        host, port, *_ = bound.getsockname()
        log_event(
            "listening", host=host, port=port, models={batcher.name: batcher.predictor.version for batcher in batchers}
        )
        if sys.stderr.isatty():
            print(f"Answering at {_spell_address(host, port)} until Ctrl-C", file=sys.stderr)
        _Server(config, service).run(sockets=[bound])
    log_event("stopped")


def read_token(path: Path) -> str:
    """Return the token in a file, without white space around it.

    Raises:
        UsageError: It is too short, or not of visible ASCII.
        EnvironmentFault: There is no such file.
    """
    token = read_utf8(path).strip()
    if len(token) < SHORTEST_TOKEN or not (token.isascii() and token.isprintable() and " " not in token):
        raise UsageError(f"{path}: not a token, {len(token)} characters. Write {SHORTEST_TOKEN} of ASCII or more.")
    return token


def _load(folder: Path, backend: Backend, metrics: Metrics, patience: Patience) -> Batcher:
    predictor = open_predictor(folder, backend=backend)
    return Batcher(predictor.task, predictor, metrics, max_wait=patience.wait)


def _open_neighbours(tasks: Sequence[str]) -> dict[str, FindNearTexts]:
    """Return what finds training texts; only now is torch imported."""
    opener = importlib.import_module("pipeline.predict.neighbours").open_neighbours
    return {task: opener(task) for task in tasks}


@contextmanager
def _bind(endpoint: Endpoint) -> Iterator[socket.socket]:
    """Yield a socket bound to an endpoint; nobody can connect before something listens on it.

    Raises:
        EnvironmentFault: It cannot be bound.
    """
    with ExitStack() as opened:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                endpoint.host, endpoint.port, type=socket.SOCK_STREAM
            )[0]
            bound = opened.enter_context(socket.socket(family, kind, protocol))
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
        except OSError as error:
            name = f"{endpoint.host}:{endpoint.port}"
            raise EnvironmentFault(f"{name}: cannot be bound, {error}. Choose another port.") from error
        yield bound


def _spell_address(host: str, port: int) -> str:
    """Return where a browser on this machine finds a server."""
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - every address, as it was bound
    return f"http://[{name}]:{port}/" if ":" in name else f"http://{name}:{port}/"


def _live_with(service: Service, watches: Sequence[Watch]) -> Lifespan:
    """Return the life of an application: folders watched, and at the end all that was accepted computed."""

    @asynccontextmanager
    async def live(_app: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(watch()) for watch in watches]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*map(retire, service.models.values()))

    return live


class _Server(uvicorn.Server):
    """uvicorn's server, which ends with 0 after a signal, and a while after SIGTERM at that."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Listen to signals in the body."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number)
        yield

    def _stop(self, number: int) -> None:
        """Stop after the first signal, as it asks for; break off at the second."""
        if self.should_exit:
            self.force_exit = True
        elif number == signal.SIGTERM and not self._service.draining:
            asyncio.get_running_loop().call_later(self._service.patience.linger, self._end)
        else:
            self._end()
        self._service.draining = True

    def _end(self) -> None:
        self.should_exit = True
