import os

import psutil
import pytest

from pipeline.core.files import write_json
from pipeline.flow import settings as prefect_settings
from pipeline.flow.settings import SECRET, STATE, alive, of_a_run


@pytest.fixture(autouse=True)
def _served(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    prefect_settings.HOME.mkdir()
    SECRET.write_text("admin:x")
    mine = [os.getpid(), psutil.Process().create_time()]
    write_json(STATE, {"url": "http://127.0.0.1:1", "processes": [mine, [os.getpid(), 1.0], [2**22 + 1, 1.0]]})


def test_a_number_that_another_process_has_now_is_not_alive():
    assert alive() == [os.getpid()]


def test_a_run_goes_to_the_server_that_is_named_else_to_the_served_one():
    found = of_a_run({})
    assert found["PREFECT_API_URL"] == "http://127.0.0.1:1/api"
    assert found["PREFECT_API_AUTH_STRING"] == "admin:x"
    assert found["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert "PREFECT_API_URL" not in of_a_run({"PREFECT_API_URL": "elsewhere", "DO_NOT_TRACK": "0"})
    STATE.unlink()
    assert of_a_run({"DO_NOT_TRACK": "0"}).keys() == prefect_settings.ALWAYS.keys() - {"DO_NOT_TRACK"}
