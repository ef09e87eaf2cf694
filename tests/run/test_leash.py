"""The leash and the group of processes on it, all real. run/process.py is tested through tests/flow/test_flow.py."""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress

import psutil
import pytest

from pipeline.run.process import LEASH, ON_LEASH
from tests.given.projects import COVERAGE, ENVIRONMENT, gone, tree, until


def start(*command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*ON_LEASH, *command], env={**ENVIRONMENT, **COVERAGE}, start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.parametrize(("command", "code"), [("exit 0", 0), ("exit 75", 75), ("kill -9 $$", 137)])
def test_the_exit_code_is_the_commands(command, code):
    with start("sh", "-c", command) as process:
        assert process.wait() == code


def test_a_module_beside_the_script_shadows_none_of_the_standard_library(tmp_path):
    for part in ("run/leash.py", "core/parent.py"):
        (tmp_path / part).parent.mkdir()
        shutil.copyfile(LEASH.parents[1] / part, tmp_path / part)
    (tmp_path / "run/threading.py").write_text("raise SystemExit(9)")
    command = [*ON_LEASH[:-1], str(tmp_path / "run/leash.py"), "true"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as process:
        assert process.wait() == 0


@pytest.mark.parametrize("how", ["closed", "sigterm", "sigint", "killed"])
def test_the_whole_group_ends_when_the_leash_is_let_go_or_cut(how):
    with start("sh", "-c", "sleep 600 & echo begun; sleep 600") as process:
        assert process.stdout.readline() == "begun\n"
        until(lambda: len(tree(process.pid)) == 4)
        family = [member.pid for member in tree(process.pid)]
        shell = family[1]
        if how == "closed":
            process.stdin.close()
        else:
            process.send_signal({"sigterm": signal.SIGTERM, "sigint": signal.SIGINT, "killed": signal.SIGKILL}[how])
        until(lambda: gone(shell) and process.poll() is not None)
        if how == "killed":  # then the holder, which sees it end, kills what is left of the group
            os.killpg(process.pid, signal.SIGKILL)
        until(lambda: all(gone(pid) for pid in family))


STRUCK = """
import os, signal, subprocess, sys
from pipeline.run import leash

made = subprocess.Popen._execute_child

def struck(*words, **more):
    made(*words, **more)
    os.kill(os.getpid(), signal.SIGTERM)

subprocess.Popen._execute_child = struck
leash.run_on_leash(["sh", "-c", "sleep 600 & sleep 600"])
"""


def test_a_signal_in_the_instant_in_which_the_command_starts_ends_it_too():
    with subprocess.Popen(
        [sys.executable, "-c", STRUCK], env=ENVIRONMENT, start_new_session=True, stdin=subprocess.PIPE, text=True
    ) as process:
        assert process.wait(60) == -signal.SIGKILL  # with its group
        until(lambda: not group(process.pid))


def group(number: int) -> list[int]:
    """Return the processes of a process group that still run."""
    members = []
    for process in psutil.process_iter(["pid", "status"]):
        with suppress(ProcessLookupError):
            if os.getpgid(process.pid) == number and process.info["status"] != psutil.STATUS_ZOMBIE:
                members.append(process.pid)
    return members


def test_what_does_not_listen_is_killed_and_an_interrupt_that_a_shell_switched_off_works():
    deaf = "import signal, time\nsignal.signal(2, signal.SIG_IGN)\nprint('deaf', flush=True)\ntime.sleep(600)"
    with start(sys.executable, "-c", f"exec({deaf!r})") as process:
        assert process.stdout.readline() == "deaf\n"
        family = [member.pid for member in tree(process.pid)]
        process.stdin.close()
        until(lambda: all(gone(pid) for pid in family))
