"""Hostile requests: bodies that are no question, a thousand of them, and what a server answers to each."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException

BODIES = 1_000
VALID = json.dumps({"texts": ["a good film", "ein schöner Film"], "all": True}, ensure_ascii=False).encode()


def make_bodies(rng: random.Random) -> Iterator[bytes]:
    """Yield bodies without end, each of a kind that is no question: broken, deep, huge, too many."""
    while True:
        yield VALID[: rng.randrange(1, len(VALID))]
        yield rng.randbytes(rng.randint(1, 2_000))
        yield b'{"texts":"%s"}' % bytes([rng.randrange(128, 256)] * rng.randint(1, 50))
        yield rng.choice((b"[", b'{"texts":', b'{"texts":[')) * rng.randint(10, 100_000)
        yield b'{"texts":%s}' % (str(rng.randint(1, 9)).encode() * rng.randint(1, 10**6))
        yield b'{"texts":%s}' % rng.choice((b"1e999", b"NaN", b"-Infinity", b"null", b"{}", b"[[]]", b"[1]", b"true"))
        yield b'{"texts":[%s]}' % b",".join([b'"a"'] * rng.randint(1_001, 300_000))
        yield b'{"texts":"a","%s":1}' % (b"k" * rng.randint(4, 10**6))
        yield b'{"texts":["\\ud%x00"]}' % rng.randrange(0x8, 0x10)
        yield b'{"texts":"a"}' * rng.randint(2, 1_000)
        yield b'{"texts":"%s"}' % (b" " * rng.randint(0, 10**6))
        yield b'{"texts":"%s"}' % (b"a" * rng.randint(2 * 1024**2, 3 * 1024**2))


def attack(port: int, count: int = BODIES) -> Counter[int]:
    """Send hostile bodies one after another; return how often which status came, 0 if none did."""
    bodies, statuses = make_bodies(random.Random(0)), Counter[int]()  # noqa: S311 - no secret
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    for _ in range(count):
        try:
            connection.request("POST", "/v1/predict", next(bodies), {"Content-Type": "application/json"})
            response = connection.getresponse()
            response.read()
            statuses[response.status] += 1
        except (OSError, HTTPException):  # it was closed while the body was being sent
            statuses[0] += 1
            connection.close()
    connection.close()
    return statuses
