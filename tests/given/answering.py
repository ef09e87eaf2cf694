"""A real `answer` process on this machine's loopback, and clients for it."""

import asyncio
import json
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
from fastapi import FastAPI

from pipeline.answer.app import make_app
from pipeline.answer.batcher import Batcher
from pipeline.answer.metrics import Metrics
from pipeline.answer.service import Patience, Service
from pipeline.predict.linear.predictor import AnyPredictor
from tests.given.projects import COVERAGE, ENVIRONMENT, PATIENCE, PIPELINE, ROOT, until


class AnswerServer:
    """A process, its lines of log as they come, and a client."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.events: list[dict[str, Any]] = []
        self.output = ""
        # Each request has a connection of its own: the server closes those that are idle.
        alone = httpx.Limits(max_keepalive_connections=0)
        self.client = httpx.Client(timeout=PATIENCE, verify=False, limits=alone)  # noqa: S501 - it is plain HTTP
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line
            if line.startswith("{"):
                self.events.append(json.loads(line))

    def named(self, event: str) -> list[dict[str, Any]]:
        return [entry for entry in self.events if entry["event"] == event]

    @property
    def port(self) -> int:
        return int(self.named("listening")[0]["port"])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_until_live(self) -> None:
        until(lambda: self.named("listening") or self.process.poll() is not None)
        assert self.process.poll() is None, self.output
        self.client.base_url = httpx.URL(self.url)
        until(self._listens)

    def _listens(self) -> bool:
        try:
            return self.client.get("/health/live").status_code == 200
        except httpx.HTTPError:
            return False

    def predict(self, texts: str | list[str], *, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
        body = {"texts": texts, **more}
        return self.client.post("/v1/predict", json=body, headers=headers)

    def metric(self, name: str) -> float:
        """Return the sum of a metric over its labels."""
        text = self.client.get("/metrics").text
        return sum(
            float(line.rpartition(" ")[2])
            for line in text.splitlines()
            if line.partition("{")[0] == f"transferline_{name}"
        )

    def send_raw(self, *parts: bytes, leave: bool = False) -> bytes:
        """Send bytes on a connection of their own, and perhaps no more; return what comes back until it is closed."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            try:
                for part in parts:
                    connection.sendall(part)
                if leave:
                    connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it was answered before all was sent
            return receive_all(connection)

    def end(self) -> int:
        """Ask the process to stop; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join(PATIENCE)
        self.client.close()
        assert self.process.stdout is not None
        self.process.stdout.close()


def receive_all(connection: socket.socket) -> bytes:
    received = b""
    try:
        while part := connection.recv(2**16):
            received += part
    except ConnectionError:
        pass
    return received


@contextmanager
def answering(*words: str | Path, cwd: Path = ROOT) -> Iterator[AnswerServer]:
    """Run `answer` with some words until the block ends; it must then end with 0."""
    options = () if "--linger" in words else ("--linger", "0")
    process = subprocess.Popen(
        [*PIPELINE, "answer", *map(str, words), *options, "--port", "0"], cwd=cwd, text=True,
        env={**ENVIRONMENT, **COVERAGE}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    server = AnswerServer(process)
    try:
        server.wait_until_live()
        yield server
        if process.poll() is None:
            assert server.end() == 0, server.output
    finally:
        server.close()


@contextmanager
def serving_here(predictor: AnyPredictor) -> Iterator[Callable[[Any], httpx.Response]]:
    """Yield what asks the application of one model in this process."""
    metrics = Metrics()
    batcher = Batcher(predictor.task, predictor, metrics, max_wait=PATIENCE)

    @asynccontextmanager
    async def live(_app: FastAPI) -> AsyncIterator[None]:
        yield

    app = make_app(Service({predictor.task: batcher}, metrics, Patience(PATIENCE, PATIENCE, 0)), live)

    async def post(body: Any) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            return await client.post("/v1/predict", json=body)

    try:
        yield lambda body: asyncio.run(post(body))
    finally:
        batcher.close()
