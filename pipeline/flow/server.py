"""The Prefect server of a run: a temporary one that ends with the run, and the watch over whichever it uses."""

import atexit
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryFile
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

import prefect
from prefect.context import refresh_global_settings_context
from prefect.settings import get_current_settings

from pipeline.core.errors import EnvironmentFault
from pipeline.run.process import ON_LEASH

SECONDS_TO_START, SECONDS_TO_RELEASE = 180.0, 10.0
SECONDS_BETWEEN_PROBES, SECONDS_UNREACHABLE = 1.0, 15.0
# As Prefect 3.8.8 starts its own temporary server, which would outlive a run that is killed, and has no password.
SERVER = (
    sys.executable, "-m", "uvicorn", "--app-dir", str(Path(prefect.__file__).parent), "--factory",
    "prefect.server.api.server:create_app", "--host", "127.0.0.1", "--log-level", "error", "--lifespan", "on",
)  # fmt: skip
OWN = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}


def provide_server() -> None:
    """Have Prefect use the server that its settings name, else a temporary one, for the life of this process.

    Raises:
        EnvironmentFault: The temporary server did not start.
    """
    if not get_current_settings().api.url:
        os.environ.update(start_temporary_server())
        refresh_global_settings_context()


def start_temporary_server() -> dict[str, str]:
    """Start a server on loopback, behind a password; return the environment variables by which Prefect finds it.

    It ends with this process, even if that is killed in whatever way: it is held on a leash.

    Raises:
        EnvironmentFault: It did not start.
    """
    port, password = _free_port(), f"run:{secrets.token_urlsafe(24)}"
    environment = {**os.environ, **OWN, "PREFECT_SERVER_API_AUTH_STRING": password}
    with TemporaryFile() as log:
        server = subprocess.Popen(
            [*ON_LEASH, *SERVER, "--port", str(port)], env=environment, start_new_session=True, stdin=subprocess.PIPE,
            stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        atexit.register(_release, server)
        if not wait_for_server(f"http://127.0.0.1:{port}", server):
            log.seek(0)
            lines = log.read().decode("utf-8", "replace").strip().splitlines()[-3:]
            raise EnvironmentFault(f"Prefect's server did not start, {' / '.join(lines) or 'no output'}. Run again.")
    return {"PREFECT_API_URL": f"http://127.0.0.1:{port}/api", "PREFECT_API_AUTH_STRING": password}


def _release(server: subprocess.Popen[bytes]) -> None:
    """Let go of the leash, and wait until the server is gone."""
    assert server.stdin is not None  # noqa: S101 - a pipe was asked for
    with suppress(OSError):
        server.stdin.close()
    with suppress(subprocess.TimeoutExpired):
        server.wait(SECONDS_TO_RELEASE)


def wait_for_server(url: str, server: subprocess.Popen[bytes]) -> bool:
    """Wait until the server at `url` answers, at most three minutes; return False if it does not, or has ended."""
    end = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < end and server.poll() is None:
        # The address is our own. What answers may speak another protocol: then it is not our server.
        with suppress(URLError, OSError, HTTPException), urlopen(f"{url}/api/health", timeout=2):  # noqa: S310
            return True
        time.sleep(0.1)
    return False


@contextmanager
def watch_server(url: str | None, gone: Callable[[], None]) -> Iterator[None]:
    """Call `gone` from another thread if nothing listens at `url` any more for some seconds during the body.

    Prefect's client itself tries each request for a minute, one request after the other. A server that was never
    reached, perhaps behind a proxy, is not watched.
    """
    left = threading.Event()
    place = urlsplit(url or "")
    if place.hostname:
        address = (place.hostname, place.port or (443 if place.scheme == "https" else 80))
        threading.Thread(target=_watch, args=(address, gone, left), name="server watch", daemon=True).start()
    try:
        yield
    finally:
        left.set()


def _watch(address: tuple[str, int], gone: Callable[[], None], left: threading.Event) -> None:
    reached: float | None = None
    while not left.wait(SECONDS_BETWEEN_PROBES):
        if _listens(address):
            reached = time.monotonic()
        elif reached is not None and time.monotonic() - reached > SECONDS_UNREACHABLE:
            gone()
            return


def _listens(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=5).close()
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])
