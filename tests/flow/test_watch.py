"""The states of the flow `watch`; its runs are in `test_service`."""

import subprocess

import pytest

from pipeline.flow.watch import judge_end, watch_file


@pytest.mark.parametrize(
    ("code", "out", "err", "name", "message"),
    [
        (0, b"# t\n", b"", "Completed", "no limit"),
        (1, b"# t\n**Limits exceeded: domain.**\n", b"", "Alarm", "Limits exceeded: domain."),
        (3, b"", b"watch: new.csv: bad\n", "DataError", "new.csv"),
        (70, b"", b"Traceback\nwatch: a fault\n", "Broken", "a fault"),
        (-9, b"", b"", "Broken", "-9"),
    ],
)
def test_a_state_has_the_name_of_the_error(code, out, err, name, message):
    end = judge_end(subprocess.CompletedProcess([], code, out, err))
    assert end.name == name
    assert message in end.message


def test_a_path_of_the_clone_is_refused():
    assert watch_file.fn("t", "new.csv").name == "UsageError"
