"""The limits of a request, and a server that lives through whatever is sent to it."""

import json
import random
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import pytest

from pipeline.answer.limits import MAX_BODY, MOST_REQUESTS
from tests.given.answering import receive_all
from tests.given.projects import PATIENCE, until

HEAD = b"POST /v1/predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
VALID = json.dumps({"texts": ["a good film", "ä bad film"], "all": True}, ensure_ascii=False).encode()
SLOW = 12  # connections


def ask(server, body: bytes) -> int:
    headers = {"Content-Type": "application/json"}
    return server.client.post("/v1/predict", content=body, headers=headers).status_code


def hostile_bodies() -> list[bytes]:
    """Return bodies that are no question, each for another reason."""
    rng = random.Random(0)
    truncated = [VALID[:end] for end in range(1, len(VALID) - 1)]
    deep = [mark * depth for mark in (b"[", b'{"texts":', b'{"texts":[') for depth in (10, 1_000, 100_000)]
    numbers = [b'{"texts":%s}' % number for number in (b"9" * 10**6, b"1e999", b"-0", b"NaN", b"Infinity", b"1" * 5000)]
    texts = [rng.randbytes(rng.randint(1, 200)) for _ in range(60)]
    broken = [b'{"texts":"%s"}' % bytes([byte]) for byte in range(128, 256)]
    others = [
        b"", b"null", b"[]", b'""', b"\xef\xbb\xbf" + b"{}", b"\x00" * 1000, VALID.replace(b'"all"', b'"\xff"'),
        b'{"texts":["\\ud800"]}', b'{"texts":"\\udfff\\ud800"}', b'{"\\ud800":1,"texts":"a"}', b'{"texts":["",""]}',
        b'{"texts":"a","model":"\\ud800"}', b'{"texts":[%s]}' % b",".join([b'"a"'] * 100_000),
        b'{"texts":[%s]}' % b",".join([b"1"] * 900_000), b'{"texts":"a","model":"%s"}' % (b"m" * 10**6),
        "{}".encode("utf-16"), "{}".encode("utf-32"), b'{"texts":"a"}{"texts":"a"}', b"{'texts':'a'}",
        b"{%s}" % b",".join(b'"k%d":1' % place for place in range(100_000)),
    ]  # fmt: skip
    return [*truncated, *deep, *numbers, *texts, *broken, *others]


def test_bodies_that_are_no_question_are_refused_and_the_server_lives(served):
    bodies = hostile_bodies()
    assert len(bodies) > 250
    with ThreadPoolExecutor(4) as clients:
        codes = list(clients.map(lambda body: ask(served, body), bodies))
    assert {body[:80]: code for body, code in zip(bodies, codes, strict=True) if not 400 <= code < 500} == {}
    assert served.predict("good").status_code == 200


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"\r\n" * 10, b"POST /v1/predict HTTP/9.9\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n", HEAD + b"Content-Length: x\r\n\r\n",
        HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\na", HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        HEAD + b"X: " + b"x" * 10**5 + b"\r\n\r\n", b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
        HEAD + b"Content-Length: %s\r\n\r\n" % (b"9" * 5000), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)  # fmt: skip
def test_what_is_no_request_does_no_harm(served, request_):
    answer = served.send_raw(request_, leave=True)
    assert b" 500 " not in answer.partition(b"\r\n")[0]
    assert served.predict("good").status_code == 200


def test_a_body_is_counted_while_it_is_read(served):
    chunk = b"%x\r\n%s\r\n" % (2**16, b"a" * 2**16)
    chunked = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    assert b" 413 " in served.send_raw(chunked, *[chunk] * (MAX_BODY // 2**16 + 2), b"0\r\n\r\n").partition(b"\r\n")[0]
    claimed = HEAD + b"Content-Length: %d\r\n\r\n" % (MAX_BODY + 1)
    assert b" 413 " in served.send_raw(claimed, b"a" * (MAX_BODY + 1)).partition(b"\r\n")[0]
    text = "good " * ((MAX_BODY - 100) // 5)
    assert served.predict(text).status_code == 200


def test_slow_clients_are_let_go_while_others_are_answered(served):
    ends = (b"Content-Length: 100\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n")
    starts = (b"POST /v1", HEAD, *(HEAD + end for end in ends))
    connections = [socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE) for _ in range(SLOW)]
    answers: list[bytes] = []
    for place, connection in enumerate(connections):
        connection.sendall(starts[place % len(starts)])
    began = time.monotonic()
    with ThreadPoolExecutor(SLOW) as readers:
        reads = [readers.submit(receive_all, connection) for connection in connections]
        while not all(read.done() for read in reads):
            assert served.predict("good").status_code == 200
            assert time.monotonic() - began < PATIENCE
            with suppress(OSError):
                connections[0].sendall(b"x")  # a byte now and then buys no time
            time.sleep(0.3)
        answers = [read.result() for read in reads]
    for connection in connections:
        connection.close()
    assert sum(answer.startswith(b"HTTP/1.1 408 ") for answer in answers) == SLOW // 2


def test_a_client_that_leaves_does_no_harm(served):
    before = served.metric("requests_total")
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", served.port)) as connection:
            connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n{")
    until(lambda: served.metric("requests_total") >= before + 20)
    assert served.predict("good").status_code == 200


def test_more_requests_at_once_than_the_server_holds_are_told_when_to_come_again(served):
    with ExitStack() as opened:
        for _ in range(MOST_REQUESTS):
            connection = opened.enter_context(socket.create_connection(("127.0.0.1", served.port)))
            connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n{")
        until(lambda: served.predict("good").status_code == 503)
        refused = served.predict("good")
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert served.client.get("/health/live").status_code == 200
        until(lambda: 503 in [entry["code"] for entry in served.named("request")])
    until(lambda: served.predict("good").status_code == 200)
