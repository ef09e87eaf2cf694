"""A stage ends with its parent and has its outputs to itself: real processes, real kills, real `dvc repro`.

`core/parent.py` is tested here too.
"""

import errno
import importlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import psutil
import pytest

from pipeline.core.errors import Busy, EnvironmentFault, Stopped
from pipeline.core.guard import LOCKS, SECONDS_TO_END, end_with_parent, lock_outputs
from tests.given.projects import ENVIRONMENT, PATIENCE, Project, gone, until


@pytest.fixture
def repository(tmp_path):
    (tmp_path / ".dvc").mkdir()
    return tmp_path


@pytest.fixture
def start(tmp_path):
    with ExitStack() as ended:

        def started(code: str, *words: str) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, "-c", textwrap.dedent(code), *words],
                cwd=tmp_path, text=True, env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )  # fmt: skip
            ended.enter_context(process)
            ended.callback(process.kill)
            return process

        yield started


HOLD = """
    import sys, pathlib
    from pipeline.core.guard import lock_outputs
    with lock_outputs([pathlib.Path(word) for word in sys.argv[1:]]):
        print("held", flush=True)
        sys.stdin.read()
"""


def test_two_writers_of_one_output_exclude_each_other_and_the_first_is_named(repository, start):
    first = start(HOLD, "a", "data/b")
    assert first.stdout.readline() == "held\n"
    holder = rf"data/b: .*process {first.pid}, since \d{{4}}-\d\d-\d\d \d\d:"
    with pytest.raises(Busy, match=holder), lock_outputs([repository / "c", repository / "data" / "b"]):
        pass
    with lock_outputs([repository / "c"]):  # the locks of the refused one are free again
        pass
    first.kill()
    first.wait()
    with lock_outputs([repository / "a", repository / "data" / "b"]):  # the kernel has taken the locks back
        pass


def test_a_link_to_an_output_is_the_output_and_a_removed_output_stays_locked(repository):
    (repository / "real").mkdir()
    (repository / "link").symlink_to("real")
    with lock_outputs([repository / "real/x"]):
        (repository / "real/x").touch()
        (repository / "real/x").unlink()
        with pytest.raises(Busy, match="link/x"), lock_outputs([repository / "link/x"]):
            pass


def test_an_output_outside_of_a_repository_is_not_locked(tmp_path):
    with lock_outputs([tmp_path / "x"]), lock_outputs([tmp_path / "x"]):
        assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_an_environment_fault(repository):
    (repository / ".dvc/tmp").touch()
    with pytest.raises(EnvironmentFault, match=r"/x: .*tmp/guard"), lock_outputs([repository / "x"]):
        pass


def test_a_file_system_without_locks_is_an_environment_fault(repository, monkeypatch):
    def refuse(*_words: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("pipeline.core.guard.fcntl.flock", refuse)
    with pytest.raises(EnvironmentFault, match=r"^x: .*locks"), lock_outputs([repository / "x"]):
        pass


@pytest.mark.parametrize(("rank", "locked"), [("0", True), ("1", False), ("x", True), ("-1", True), ("", True)])
def test_only_a_later_rank_of_torchrun_takes_no_lock(repository, monkeypatch, rank, locked):
    monkeypatch.setenv("RANK", rank)
    with lock_outputs([repository / "x"]):
        assert (repository / LOCKS).is_dir() == locked


def ask_twice(number: int) -> None:
    try:
        os.kill(os.getpid(), number)
        time.sleep(PATIENCE)
    finally:  # a second one does not disturb the way out
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_body_like_an_error_once_and_leaves_no_handler(number):
    before = [signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)]
    with pytest.raises(Stopped, match=number.name), end_with_parent():
        ask_twice(number)
    assert [signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)] == before
    until(lambda: "guard" not in {thread.name for thread in threading.enumerate()})


def swallow_errors() -> None:
    """Handle whatever comes, as many libraries do."""
    while True:
        with suppress(Exception):
            time.sleep(PATIENCE)


def swallow_everything(times: int) -> None:
    for _ in range(times):
        with suppress(BaseException):
            time.sleep(PATIENCE)


def swallow_and_go_on() -> None:
    swallow_everything(3)
    time.sleep(PATIENCE)


def turn_into_another_error() -> None:
    try:
        time.sleep(PATIENCE)
    except BaseException as error:
        raise ValueError("could not read the file") from error


class Dying:
    """What Python's own machinery swallows."""

    def __del__(self) -> None:
        time.sleep(PATIENCE)


def swallow_in_a_finalizer() -> None:
    Dying()
    time.sleep(PATIENCE)


@pytest.mark.parametrize(
    "body",
    [
        swallow_errors, partial(swallow_everything, 1), swallow_and_go_on, turn_into_another_error,
        swallow_in_a_finalizer,
    ],
    ids=["errors", "all once", "all thrice", "another error", "finalizer"],
)  # fmt: skip
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_no_body_swallows_the_request_to_stop(body, number, capsys):
    threading.Timer(0.2, os.kill, [os.getpid(), number]).start()
    start = time.monotonic()
    with pytest.raises(Stopped), end_with_parent():
        body()
    assert time.monotonic() - start < SECONDS_TO_END
    assert capsys.readouterr() == ("", "")


IMPORTED = """
import time
end = time.monotonic() + 1.0
while time.monotonic() < end:
    time.sleep(0.01)
WHOLE = True
"""


def import_and_swallow() -> None:
    importlib.import_module("slowly_imported")
    swallow_errors()


def test_an_import_is_finished_first(tmp_path, monkeypatch):
    (tmp_path / "slowly_imported.py").write_text(IMPORTED)
    monkeypatch.syspath_prepend(str(tmp_path))
    threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGTERM]).start()
    with pytest.raises(Stopped), end_with_parent():
        import_and_swallow()
    assert sys.modules.pop("slowly_imported").WHOLE


PREPARING = """
    import time
    from pipeline.core.guard import end_with_parent
    def prepare():
        print("bound", flush=True)
        time.sleep(600)
    with end_with_parent(prepare):
        print("body")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_during_the_preparation_simply_ends_the_process(start, number):
    process = start(PREPARING)
    assert process.stdout.readline() == "bound\n"
    process.send_signal(number)
    assert process.wait(PATIENCE) == -number
    assert process.stdout.read() == ""


def test_the_body_gets_what_was_prepared():
    with end_with_parent(lambda: "prepared") as value:
        assert value == "prepared"


STUBBORN = """
    import pipeline.core.guard, sys, time
    pipeline.core.guard.SECONDS_TO_END = 1.0
    with pipeline.core.guard.end_with_parent():
        while True:
            try:
                print("bound", flush=True)
                time.sleep(600)
            except BaseException:
                pass
"""


def test_one_that_swallows_every_request_is_killed(start):
    process = start(STUBBORN)
    assert process.stdout.readline() == "bound\n"
    process.terminate()
    assert process.wait(PATIENCE) == -signal.SIGKILL


FAMILY = """
    import subprocess, sys
    child = subprocess.Popen([sys.executable, "-c", sys.argv[1]])
    print(child.pid, flush=True)
    sys.stdin.read()
"""
OBEYS = """
import time
from pipeline.core.guard import end_with_parent
with end_with_parent():
    print('bound', flush=True)
    time.sleep(600)
"""
REFUSES = """
import pipeline.core.guard, signal, time
pipeline.core.guard.SECONDS_TO_END = 0.5
with pipeline.core.guard.end_with_parent():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print('bound', flush=True)
    time.sleep(600)
"""
LATE = "import os, time\nwhile os.getppid() == {}: time.sleep(0.01)\n" + OBEYS


@pytest.mark.parametrize("body", [OBEYS, REFUSES])
def test_a_stage_does_not_outlive_a_parent_that_is_killed(start, body):
    parent = start(FAMILY, body)
    child = int(parent.stdout.readline())
    assert parent.stdout.readline() == "bound\n"
    parent.kill()
    parent.wait()
    until(lambda: gone(child))


def test_a_parent_that_died_before_anybody_looked_is_noticed(start):
    # The parent has a session of its own, as DVC under a scheduler, so that who adopts the child is a stranger.
    family = "import os; os.setsid()\nPARENT = os.getpid()\n" + textwrap.dedent(FAMILY).replace(
        "sys.argv[1]]", "sys.argv[1].format(PARENT)]"
    )
    parent = start(family, LATE)
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    until(lambda: gone(child))


SLOW = """
import pathlib, sys, time
from pipeline.core.errors import Busy
from pipeline.core.guard import SECONDS_TO_END, end_with_parent, lock_outputs

out = pathlib.Path("out")
try:
    with end_with_parent(), lock_outputs([out]):
        pathlib.Path("begun").touch()
        while not pathlib.Path("go").exists():
            time.sleep(0.02)
        out.write_text("whole")
except Busy as error:
    print(error, flush=True)
    sys.exit(error.exit_code)
"""
ONE_STAGE = {
    "slow.py": SLOW,
    "dvc.yaml": "stages:\n  slow:\n    cmd: python slow.py\n    deps: [slow.py]\n    outs: [out]\n",
}


SHELLS = [shell for shell in ("/bin/sh", "/bin/bash", "/bin/zsh") if Path(shell).exists()]


@pytest.fixture(params=SHELLS)
def running(tmp_path, request):
    """A project whose one stage runs below `dvc repro`; the process of DVC and the number of the stage's.

    DVC runs commands by the user's shell: some become the command, others wait for it.
    """
    project = Project(tmp_path, ONE_STAGE)
    environment = {**ENVIRONMENT, "SHELL": request.param}
    with project.start("dvc", "repro", stdout=subprocess.DEVNULL, env=environment) as dvc:
        until((tmp_path / "begun").exists)
        yield project, dvc, psutil.Process(dvc.pid).children(recursive=True)[-1].pid
        dvc.kill()


def test_a_second_run_of_a_stage_is_told_busy_and_the_output_of_the_first_is_whole(running):
    project, dvc, stage = running
    assert f"process {stage}, since" in project.run("python", "slow.py", code=75)
    project.write("go", "")
    assert dvc.wait() == 0
    assert project.read("out") == "whole"
    assert project.run("dvc", "status") == "Data and pipelines are up to date.\n"


def test_a_killed_dvc_takes_its_stage_along_and_the_next_run_is_not_blocked(running):
    project, dvc, stage = running
    dvc.kill()
    dvc.wait()
    until(lambda: gone(stage))
    assert not (project.root / "out").exists()
    project.write("go", "")
    project.run("dvc", "repro")
    assert project.read("out") == "whole"
