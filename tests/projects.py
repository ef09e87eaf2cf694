"""Small DVC projects in a temporary folder, real processes in them, and the patience to wait for what they do."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

ROOT = Path(__file__).parent.parent
PATIENCE = 90.0  # seconds before a test gives up on a slow machine
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "PYTHONPATH": str(ROOT),
    "DVC_NO_ANALYTICS": "1",
}


def until(condition: Callable[[], object], *, seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "gave up waiting"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class Project:
    """A DVC project: its files, and commands in it."""

    def __init__(self, root: Path, files: dict[str, str], *, git: bool = False) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            self.write(name, text)
        if git:
            for words in (["init", "-q", "-b", "main"], ["config", "user.name", "T"], ["config", "user.email", "t@t"]):
                self.run("git", *words)
        self.run("dvc", "init", "-q", *([] if git else ["--no-scm"]))

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def read(self, name: str) -> str:
        return (self.root / name).read_text(encoding="utf-8")

    def start(self, *words: str, **more: object) -> subprocess.Popen[str]:
        return subprocess.Popen(words, cwd=self.root, text=True, **{"env": ENVIRONMENT, **more})

    def run(self, *words: str, code: int = 0, **more: object) -> str:
        """Return what a command says; it must end with `code`."""
        done = subprocess.run(
            words, cwd=self.root, text=True, capture_output=True, check=False, **{"env": ENVIRONMENT, **more}
        )
        assert done.returncode == code, f"{words} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr
