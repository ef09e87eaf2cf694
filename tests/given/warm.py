"""A `python` whose `-m pipeline` starts in no time: a fork of a process that has imported what stages import.

Importing torch and transformers takes seconds, and a test that runs `dvc repro` starts a stage some twenty times. The
process that forks has imported libraries alone: each stage imports the package of its own clone.
"""

import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LIBRARIES = (
    "torch", "transformers", "transformers.models.bert.modeling_bert", "tokenizers", "safetensors.torch", "pandas",
    "pyarrow.parquet", "pyarrow.compute", "sklearn.linear_model", "sklearn.feature_extraction.text", "scipy.stats",
    "great_expectations", "datasketch", "jinja2", "pydantic", "ruamel.yaml",
)  # fmt: skip
FDS = 3  # standard input, output and error
CLIENT = """#!{python} -ISs
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
sys.exit(code[0] if code else 1)
"""


@contextmanager
def warm_python(folder: Path) -> Iterator[Path]:
    """Yield a folder for the front of PATH, with that `python` in it."""
    folder.mkdir()
    address = str(folder / "socket")
    client = folder / "python"
    client.write_text(CLIENT.format(python=sys.executable, address=address), encoding="utf-8")
    client.chmod(0o755)
    # It ends when its standard input does, so also with a process that is killed.
    with subprocess.Popen(
        [sys.executable, "-m", "tests.given.warm", address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        try:
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
        if os.fork() == 0:
            while True:
                connection, _ = listener.accept()
                if os.fork() == 0:
                    listener.close()
                    run_stage(connection)
                connection.close()
        sys.stdin.read()
    os.killpg(os.getpgrp(), signal.SIGTERM)


def run_stage(connection: socket.socket) -> None:
    """Run `python -m pipeline` with the words, the folder, the environment and the streams of the client, and exit."""
    size, descriptors, _, _ = socket.recv_fds(connection, 4, FDS)
    message = b""
    while len(message) < int.from_bytes(size, "big"):
        message += connection.recv(2**16)
    words, folder, environment = json.loads(message)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = words
    sys.path[0] = folder
    code: object = 0
    try:
        runpy.run_module("pipeline", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    connection.sendall(bytes([code if isinstance(code, int) else 1]))
    os._exit(0)


if __name__ == "__main__":
    os.setpgid(0, 0)
    serve(sys.argv[1])
