"""A `python` whose `-m pipeline` starts in no time: a fork of a process that has imported what stages import.

Importing torch and transformers takes seconds, and a test that runs `dvc repro` starts a stage some twenty times. The
process that forks has imported libraries alone: each stage imports the package of its own clone.
"""

import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

LIBRARIES = (
    "torch", "transformers", "transformers.models.bert.modeling_bert", "tokenizers", "safetensors.torch", "pandas",
    "pyarrow.parquet", "pyarrow.compute", "sklearn.linear_model", "sklearn.feature_extraction.text", "scipy.stats",
    "great_expectations", "scipy.sparse", "jinja2", "pydantic", "ruamel.yaml",
)  # fmt: skip
ROOT = Path(__file__).parents[2]
STREAMS = 3  # standard input, output and error
SHIM = '#!/bin/sh\nexec "{python}" -IS "{client}" "$@"\n'
CLIENT = """\
import json, os, socket, sys
words = sys.argv[1:]
if words[:2] != ["-m", "pipeline"]:
    os.execv({python!r}, [{python!r}, *words])
with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
    server.connect({address!r})
    message = json.dumps([words[2:], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(server, [len(message).to_bytes(4, "big")], [0, 1, 2])
    server.sendall(message)
    code = server.recv(1)
if not code:
    sys.exit(f"python {{' '.join(words)}}: the process died")
sys.exit(code[0])
"""


@contextmanager
def warm_python() -> Iterator[Path]:
    """Yield a folder for the front of PATH, with that `python` in it."""
    with TemporaryDirectory(prefix="warm-") as place:  # a short path: that of a socket has 107 bytes at most
        yield from _serve_from(Path(place))


def _serve_from(folder: Path) -> Iterator[Path]:
    client, shim, address = folder / "client.py", folder / "python", str(folder / "socket")
    client.write_text(CLIENT.format(python=sys.executable, address=address), encoding="utf-8")
    shim.write_text(SHIM.format(python=sys.executable, client=client), encoding="utf-8")
    shim.chmod(0o755)
    # Not traced, and with the paths of its client alone.
    own = {name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE_", "PYTHONPATH"))}
    # It ends when its standard input does, so also with a process that is killed.
    with subprocess.Popen(
        [sys.executable, "-m", "tests.given.warm", address],
        cwd=ROOT, env=own, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as server:  # fmt: skip
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            assert server.stdout.readline() == "ready\n"
            yield folder
        finally:
            server.stdin.close()


def serve(address: str) -> None:
    """Fork a stage for each connection until standard input ends."""
    importlib.import_module("pipeline")  # sets what OpenMP and OpenBLAS read when they are loaded
    for name in LIBRARIES:
        importlib.import_module(name)
    for name in [name for name in sys.modules if name.partition(".")[0] in ("pipeline", "tests")]:
        del sys.modules[name]
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a fork but its client
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(address)
        listener.listen()
        print("ready", flush=True)
        while sys.stdin not in (ready := select.select([listener, sys.stdin], [], [])[0]):
            assert ready
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                answer(connection)
            connection.close()


def answer(connection: socket.socket) -> None:
    """Run `python -m pipeline` with the words, folder, environment and streams of a client; send its code and exit."""
    code = 1
    try:
        words, folder, environment = receive(connection)
        # A client that is killed takes its stage with it.
        threading.Thread(target=end_with, args=[connection], daemon=True).start()
        code = run_stage(words, folder, environment)
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall(bytes([code & 255]))
    finally:
        os._exit(code)


def receive(connection: socket.socket) -> tuple[list[str], str, dict[str, str]]:
    """Take the streams of a client as this process's own; return words, folder and environment.

    Raises:
        EOFError: The client died.
    """
    size, descriptors, _, _ = socket.recv_fds(connection, 4, STREAMS)
    message = b""
    while len(message) < int.from_bytes(size, "big"):
        part = connection.recv(2**16)
        if not part:
            raise EOFError
        message += part
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    # Those of the process that forks know whether they can be searched, and these may not.
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False, errors="backslashreplace")
    words, folder, environment = json.loads(message)
    return words, folder, environment


def run_stage(words: list[str], folder: str, environment: dict[str, str]) -> int:
    """Return the exit code of `python -m pipeline *words` in a folder, with this environment and no other."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = words
    sys.path[:1] = [folder, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    try:
        runpy.run_module("pipeline", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def end_with(connection: socket.socket) -> None:
    """Ask this process to stop when the client is gone."""
    if not connection.recv(1):
        os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    serve(sys.argv[1])
