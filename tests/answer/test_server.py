"""The server as a process: what it needs, what it refuses, and how it ends."""

import json
import os
import pty
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from pipeline.__main__ import main
from tests.given.answering import answering
from tests.given.linear import write_films
from tests.given.projects import ENVIRONMENT, PATIENCE, PIPELINE, until

LONG = ["good film " * 30] * 100
CLIENTS = 12
IMPORTS = """
import sys
from pathlib import Path
import pipeline.answer.server
import pipeline.predict.command
from pipeline.predict.predictor import load_predictor
load_predictor(Path(sys.argv[1]))
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_no_training_code_is_imported(films):
    words = [sys.executable, "-c", IMPORTS, str(films)]
    done = subprocess.run(words, check=True, capture_output=True, text=True, env=ENVIRONMENT)
    assert {"torch", "transformers", "dvc", "prefect", "pandas", "sklearn", "scipy"}.isdisjoint(done.stdout.split())


def test_a_linear_baseline_is_served_by_the_name_of_its_task(tmp_path):
    write_films(tmp_path)
    with answering("t", "--backend", "linear", cwd=tmp_path) as server:
        (model,) = server.client.get("/v1/models").json()
        answer = server.predict("a good film").json()
        schemas = server.client.get("/openapi.json").json()["components"]["schemas"]
    assert "`linear`" in schemas["Answer"]["properties"]["probability"]["description"]  # it is not calibrated
    assert (model["backend"], model["takes"], model["max_length"]) == ("linear", ["text"], None)
    assert answer["version"] == model["version"]
    assert answer["answers"][0]["label"] == "good"


def test_a_stopped_server_answers_all_that_it_has_accepted(slow):
    with answering(slow, "--linger", "3", "--max-wait", "600") as server, ThreadPoolExecutor(CLIENTS) as clients:
        asking = [clients.submit(server.predict, LONG) for _ in range(CLIENTS)]
        until(lambda: server.metric("queue_tokens") > 10_000)
        assert server.client.get("/health/ready").status_code == 200
        server.process.terminate()
        until(lambda: server.client.get("/health/ready").status_code == 503)
        late = server.predict("good")  # balancers do not know yet
        codes = [each.result().status_code for each in asking]
        assert server.process.wait(60) == 0
    assert (codes, late.status_code) == ([200] * CLIENTS, 200)
    assert {entry["code"] for entry in server.named("request") if entry["path"] == "/v1/predict"} == {200}


def test_a_second_signal_does_not_linger(films):
    with answering(films, "--linger", "600") as server:
        server.process.terminate()
        until(lambda: server.client.get("/health/ready").status_code == 503)
        assert server.predict("good").status_code == 200
        assert server.end() == 0


def test_an_overloaded_server_refuses_one_text_and_many_alike_and_recovers(slow):
    with answering(slow, "--max-wait", "0.05") as server, ThreadPoolExecutor(3) as clients:
        asking = [clients.submit(server.predict, LONG * 10) for _ in range(2)]
        until(lambda: server.metric("expected_wait_seconds") > 0.3)
        for texts in ("good", LONG):
            refused = server.predict(texts)
            assert refused.status_code == 503
            assert int(refused.headers["Retry-After"]) >= 1
        assert {each.result().status_code for each in asking} <= {200, 503}
        assert server.predict("good").status_code == 200
        assert server.metric("dropped_total") >= 2


def test_what_nobody_waits_for_is_not_computed(slow):
    with answering(slow) as server:
        body = json.dumps({"texts": LONG * 10}).encode()
        head = b"POST /v1/predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(head % len(body) + body)
            until(lambda: server.metric("queue_tokens") > 0)
        until(lambda: server.metric("dropped_total") == 1)
        until(lambda: server.metric("queue_tokens") == 0)
        assert server.metric("batch_texts_sum") < 1000
        assert [entry["code"] for entry in server.named("request") if entry["path"] == "/v1/predict"] == [499]


def test_a_terminal_gets_the_address_to_open(films):
    reader, terminal = pty.openpty()
    words = [*PIPELINE, "answer", str(films), "--port", "0", "--linger", "0"]
    with subprocess.Popen(words, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=terminal, text=True) as process:
        port = json.loads(process.stdout.readline())["port"]
        printed = os.read(reader, 1000).decode()
        process.terminate()
        process.communicate(timeout=PATIENCE)  # to the end of its log: nobody reads the terminal any more
    os.close(reader)
    os.close(terminal)
    assert f"http://127.0.0.1:{port}/ " in printed


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=PATIENCE).status_code == 200
    except httpx.ConnectError:
        return False


def test_a_log_that_nobody_reads_any_more_stops_nothing(films):
    words = [*PIPELINE, "answer", str(films), "--port", "0", "--linger", "0"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(words, env=ENVIRONMENT, text=True, **pipes) as process:
        url = f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}/health/live"
        process.stdout.close()
        until(lambda: answers(url))
        codes = [httpx.get(url, timeout=PATIENCE).status_code for _ in range(3)]
        process.terminate()
        printed = process.stderr.read()
    assert (codes, printed, process.returncode) == ([200] * 3, "", 0)


def test_neighbours_need_a_project(films, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["answer", str(films), "--neighbours", "--port", "0"]) == 4


def test_a_port_that_is_taken_is_refused(films):
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert main(["answer", str(films), "--port", str(other.getsockname()[1])]) == 4


@pytest.mark.parametrize(
    ("words", "code"),
    [(["none"], 2), ([], 2), (["FILMS", "FILMS"], 2), (["FILMS", "--backend", "int8"], 2), (["EMPTY"], 2)],
)
def test_what_cannot_be_served_is_refused(films, tmp_path, words, code):
    places = {"FILMS": str(films), "EMPTY": str(tmp_path)}
    assert main(["answer", *(places.get(word, word) for word in words), "--port", "0"]) == code
