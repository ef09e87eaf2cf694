import os

import psutil
import pytest

from pipeline.core.errors import EnvironmentFault
from pipeline.core.files import write_json
from pipeline.flow.settings import ALWAYS, HOME, SECRET, STATE, list_live_processes, make_run_environment


@pytest.fixture(autouse=True)
def _served(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    HOME.mkdir()
    SECRET.write_text("admin:x")
    mine = [os.getpid(), psutil.Process().create_time()]
    write_json(STATE, {"url": "http://127.0.0.1:1", "processes": [mine, [os.getpid(), 1.0], [2**22 + 1, 1.0]]})


def test_a_number_that_another_process_has_now_is_not_alive():
    assert list_live_processes() == [os.getpid()]


def test_a_clock_that_was_set_kills_no_process():
    write_json(STATE, {"url": "x", "processes": [[os.getpid(), psutil.Process().create_time() + 2.0]]})
    assert list_live_processes() == [os.getpid()]


def test_a_damaged_record_is_to_be_removed():
    STATE.write_text("{")
    with pytest.raises(EnvironmentFault, match=r"service\.json: .*Remove"):
        list_live_processes()


def test_a_run_goes_to_the_server_that_is_named_else_to_the_served_one():
    environment = make_run_environment({})
    assert environment["PREFECT_API_URL"] == "http://127.0.0.1:1/api"
    assert environment["PREFECT_API_AUTH_STRING"] == "admin:x"
    assert environment["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert "PREFECT_API_URL" not in make_run_environment({"PREFECT_API_URL": "elsewhere", "DO_NOT_TRACK": "0"})
    STATE.unlink()
    assert make_run_environment({"DO_NOT_TRACK": "0"}).keys() == ALWAYS.keys() - {"DO_NOT_TRACK"}
