"""Access: a token, the id of a request, and its line of log."""

import socket

import pytest

from pipeline.__main__ import main
from pipeline.answer.server import read_token
from pipeline.core.errors import UsageError
from tests.given.answering import answering
from tests.given.projects import until

TOKEN = "a-token-of-enough-characters"


def test_a_token_guards_the_models_and_the_metrics_but_neither_page_nor_health(films, tmp_path):
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    with answering(films, "--token-file", path) as server:
        wrong = ("Bearer x", TOKEN, f"bearer {TOKEN}", "Bearer ä".encode())
        for headers in ({}, *({"Authorization": value} for value in wrong)):
            assert server.predict("good", headers=headers).status_code == 401
            assert server.client.get("/metrics", headers=headers).status_code == 401
        assert server.predict("good", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
        for path in ("/", "/docs", "/health/live", "/health/ready", "/openapi.json"):
            assert server.client.get(path).status_code == 200
    assert TOKEN not in server.output


@pytest.mark.parametrize("token", ["", "short", "a token with a blank in it", "ä" * 20])
def test_what_is_no_token_is_refused(tmp_path, token):
    path = tmp_path / "token"
    path.write_text(token)
    with pytest.raises(UsageError):
        read_token(path)


def test_a_token_that_is_not_there_is_a_fault_of_the_machine(films, tmp_path):
    assert main(["answer", str(films), "--token-file", str(tmp_path / "none")]) == 4


@pytest.mark.parametrize(("given", "kept"), [("abc-1.2_3", True), ("a b", False), ("x" * 65, False), ('"}', False)])
def test_a_request_keeps_its_id_if_that_is_a_harmless_word(served, given, kept):
    response = served.predict("secret words", headers={"X-Request-ID": given})
    name = response.headers["X-Request-ID"]
    assert (name == given) == kept
    until(lambda: [entry for entry in served.named("request") if entry["id"] == name])
    (entry,) = [entry for entry in served.named("request") if entry["id"] == name]
    assert (entry["code"], entry["texts"], entry["tokens"], entry["path"]) == (200, 1, 4, "/v1/predict")
    assert entry["ms"] > 0
    assert "secret" not in served.output


def test_no_other_site_may_read_an_answer(served):
    response = served.predict("good", headers={"Origin": "https://elsewhere.example"})
    assert not [name for name in response.headers if name.lower().startswith("access-control")]


def test_a_client_that_leaves_before_its_body_is_whole_is_no_fault_of_the_server(served):
    with socket.create_connection(("127.0.0.1", served.client.base_url.port)) as connection:
        connection.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nX-Request-ID: left\r\nContent-Length: 99\r\n\r\n{")
    until(lambda: [entry for entry in served.named("request") if entry["id"] == "left"])
    (entry,) = [entry for entry in served.named("request") if entry["id"] == "left"]
    assert entry["code"] == 499
