"""The server of `answer` under load: many clients against one, beside a server without batches, overload, and memory.

`python -m benchmarks.answer [BUNDLE [REQUESTS]]` takes the bundle of the reviews by default. Clients are threads of
this process with a connection each; they take turns with the server on the same cores.
"""

import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.hostile import attack
from benchmarks.int8 import make_bundle
from benchmarks.table import publish
from pipeline.core.format import markdown_table
from pipeline.core.tables import read_parquet
from pipeline.predict.predictor import load_predictor

TASK, EXAMPLES = "reviews", Path("data/examples/reviews.parquet")
CLIENTS = (1, 8, 64)
REQUESTS = 100_000  # of the memory's measure, of short texts
BATCHES = (1, 8, 32)
SECONDS = 10.0  # of each load
ABOUT = """# The server

`make bench-answer`: requests of one review each, over connections that stay open. `answer` batches what waits; `one by
one` is the same model behind a route of FastAPI that computes each request by itself, in FastAPI's threads. Clients and
server share the cores. Overload is 200 clients with eight reviews a request against a server that lets nothing wait
longer than half a second; who is refused waits for 0.2 s. Memory is measured over requests of five words by 16 clients,
and a thousand hostile bodies are broken, deep, huge, of wrong types or too long.

A processor computes one text in int8 as fast as many: the second table is ONNX Runtime alone, on 512 of the reviews
sorted by length. What it gains from batches bounds what any server of this model can gain from 64 clients: not four
times what one client gets. What `answer` brings are its bounds."""
ONE_BY_ONE = """
import sys
from pathlib import Path
import uvicorn
from fastapi import Body, FastAPI
from pipeline.predict.predictor import load_predictor
predictor = load_predictor(Path(sys.argv[1]))
app = FastAPI()
@app.post("/v1/predict")
def predict(texts: str = Body(embed=True)):
    (row,) = predictor.predict(predictor.encode([texts])).tolist()
    return dict(zip(predictor.labels, row))
print('{"event": "listening"}', flush=True)
uvicorn.run(app, port=int(sys.argv[2]), log_level="error")
"""


class Load(NamedTuple):
    """What clients saw: seconds of each answered request, and the number of those refused."""

    seconds: list[float]
    refused: int
    wall: float

    def percentile(self, share: float) -> float:
        """Return milliseconds below which a share of the answers came."""
        return 1000 * sorted(self.seconds)[int(share * (len(self.seconds) - 1))]


@contextmanager
def serving(bundle: Path, port: int, *options: str, one_by_one: bool = False) -> Iterator[psutil.Process]:
    """Run a server until the block ends."""
    words = ["-m", "pipeline", "answer", str(bundle), "--port", str(port), "--linger", "0", *options]
    process = subprocess.Popen(
        [sys.executable, *(["-c", ONE_BY_ONE, str(bundle), str(port)] if one_by_one else words)],
        stdout=subprocess.DEVNULL,
    )
    try:
        while not ask(HTTPConnection("127.0.0.1", port), "ready"):
            time.sleep(0.1)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def ask(connection: HTTPConnection, texts: str | list[str]) -> int:
    """Return the status of the answer to a request, 0 if nobody listens."""
    try:
        connection.request("POST", "/v1/predict", json.dumps({"texts": texts}), {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
    except OSError:
        connection.close()
        return 0
    return response.status


def load(port: int, texts: list[str], clients: int, *, seconds: float, many: int = 1, most: int = 10**9) -> Load:
    """Have clients ask without a pause for some seconds, or until `most` requests are answered."""
    answered: list[float] = []
    refused = [0]
    start = time.monotonic()

    def run(client: int) -> None:
        connection = HTTPConnection("127.0.0.1", port)
        place = client * 101
        while time.monotonic() - start < seconds and len(answered) < most:
            asked = [texts[(place + step) % len(texts)] for step in range(many)]
            place += many
            began = time.monotonic()
            if ask(connection, asked[0] if many == 1 else asked) == 200:
                answered.append(time.monotonic() - began)
            else:
                refused[0] += 1
                time.sleep(0.2)
        connection.close()

    threads = [threading.Thread(target=run, args=(client,)) for client in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Load(answered, refused[0], time.monotonic() - start)


def time_forward(bundle: Path, texts: list[str]) -> float:
    """Return the median milliseconds of one text without a server."""
    predictor = load_predictor(bundle)
    times = []
    for text in texts[:200]:
        start = time.monotonic()
        predictor.predict(predictor.encode([text]))
        times.append(time.monotonic() - start)
    return 1000 * statistics.median(times)


def compare_batches(bundle: Path, texts: list[str]) -> tuple[list[list[str]], float]:
    """Return the rows of the table of batches, and the most texts per second of all."""
    rows, best = [], 0.0
    for threads in (1, 0):
        predictor = load_predictor(bundle, threads=threads)
        ids = sorted(predictor.encode(texts[:512]), key=len)
        tokens = sum(map(len, ids))
        for size in BATCHES:
            batches = [ids[start : start + size] for start in range(0, len(ids), size)]
            for batch in batches[-3:]:
                predictor.predict(batch)
            wall, processor = time.perf_counter(), time.process_time()
            for batch in batches:
                predictor.predict(batch)
            wall, processor = time.perf_counter() - wall, time.process_time() - processor
            best = max(best, len(ids) / wall)
            cells = (tokens / processor, tokens / wall, len(ids) / wall)
            rows.append(["one" if threads else "one a core", f"{size}", *(f"{cell:,.0f}" for cell in cells)])
    return rows, best


def compare_clients(bundle: Path, texts: list[str]) -> tuple[list[list[str]], dict[str, float]]:
    """Return the rows of the table of clients, and requests per second by arm and clients."""
    rows: list[list[str]] = []
    speeds = {}
    for arm, one_by_one in (("one by one", True), ("answer", False)):
        with serving(bundle, 8731, one_by_one=one_by_one) as server:
            load(8731, texts, 4, seconds=2)
            for clients in CLIENTS:
                before = sum(server.cpu_times()[:2])
                seen = load(8731, texts, clients, seconds=SECONDS)
                count = len(seen.seconds)
                processor = 1000 * (sum(server.cpu_times()[:2]) - before) / count
                speeds[f"{arm}, {clients}"] = count / seen.wall
                cells = (count / seen.wall, seen.percentile(0.5), seen.percentile(0.99), processor)
                rows.append([arm, f"{clients}", *(f"{cell:,.1f}" for cell in cells)])
    return rows, speeds


def overload(bundle: Path, texts: list[str]) -> dict[str, float]:
    """Return what an overloaded server did, and how it answered afterwards."""
    with serving(bundle, 8732, "--max-wait", "0.5"):
        before = load(8732, texts, 1, seconds=3).percentile(0.5)
        seen = load(8732, texts, 200, seconds=SECONDS, many=8)
        after = load(8732, texts, 1, seconds=3).percentile(0.5)
    return {
        "answered": len(seen.seconds),
        "refused": seen.refused,
        "texts/s": 8 * len(seen.seconds) / seen.wall,
        "p99 of the answered, ms": seen.percentile(0.99),
        "one client before, p50 ms": before,
        "one client after, p50 ms": after,
    }


def grow(bundle: Path, texts: list[str], requests: int) -> dict[str, float]:
    """Return the server's memory after a tenth of many short requests and after all, MiB, and after hostile ones."""
    short = [" ".join(text.split()[:5]) or "good" for text in texts]
    with serving(bundle, 8733) as server:
        load(8733, short, 16, seconds=3600, most=requests // 10)
        early = server.memory_info().rss / 2**20
        load(8733, short, 16, seconds=3600, most=requests - requests // 10)
        late = server.memory_info().rss / 2**20
        statuses = attack(8733)
        print(f"hostile bodies: {dict(sorted(statuses.items()))}", flush=True)
        after = load(8733, texts, 1, seconds=3).percentile(0.5)
        last = server.memory_info().rss / 2**20
    return {
        "requests": requests,
        "MiB after a tenth of them": early,
        "MiB after all": late,
        "hostile bodies": statuses.total(),
        "of them answered with 4xx": sum(count for code, count in statuses.items() if 400 <= code < 500),
        "one client after them, p50 ms": after,
        "MiB after them": last,
    }


def main(bundle: Path, requests: int) -> None:
    """Measure, and write docs/benchmarks/answer.md."""
    texts = read_parquet(EXAMPLES)["text"].to_pylist()
    forward = time_forward(bundle, texts)
    batches, ceiling = compare_batches(bundle, texts)
    rows, speeds = compare_clients(bundle, texts)
    others = overload(bundle, texts) | grow(bundle, texts, requests)
    shown = markdown_table(
        ["server", "clients", "requests/s", "p50, ms", "p99, ms", "processor ms a request"], rows, right=range(1, 6)
    )
    alone = markdown_table(
        ["threads", "texts a batch", "tokens per processor second", "tokens/s", "texts/s"], batches, right=range(1, 5)
    )
    lines = "".join(f"- {name}: {round(value, 1):,}\n" for name, value in others.items())
    figures = {
        "64 clients/1": round(speeds["answer, 64"] / speeds["answer, 1"], 2),
        "64 clients, answer/one by one": round(speeds["answer, 64"] / speeds["one by one, 64"], 2),
        "64 clients/ONNX Runtime alone": round(speeds["answer, 64"] / ceiling, 2),
        "one forward, p50 ms": round(forward, 2),
        **{name: round(value, 1) for name, value in others.items()},
    }
    about = f"{ABOUT}\n\nOne review takes {forward:.1f} ms without a server ({load_predictor(bundle).backend})."
    publish(
        "answer", about, f"{shown}\n{alone}\n{lines}\n", figures, ["onnxruntime", "fastapi", "uvicorn", "httptools"]
    )


if __name__ == "__main__":
    words = sys.argv[1:]
    main(Path(words[0]) if words else make_bundle(TASK), int(words[1]) if len(words) > 1 else REQUESTS)
