"""Batches of what waits: one queue per model and one thread per core, without any waiting window.

A text that comes to an idle model is computed at once, on all cores. While every thread computes, others come, and the
next batch is those.
"""

import asyncio
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from pipeline.answer.metrics import Metrics
from pipeline.answer.speed import SharedTime, measure_speed
from pipeline.models.batching import plan_batches
from pipeline.predict.linear.predictor import AnyPredictor
from pipeline.predict.logits import ModelRows

# Tokens of one forward, padding included. In a processor's caches small batches are faster than large ones, and ONNX
# Runtime computes single texts nearly as fast as many (docs/benchmarks/answer.md). A linear baseline has characters, or
# words, in their place; an image counts as patches of 16 x 16 pixels.
TOKENS_OF_BATCH = {"fp32": 256, "int8": 256, "torch": 2048, "linear": 8192}
BATCH_TEXTS = 512
# A session of ONNX Runtime computes several batches at once on its threads: a small one costs less on one core than on
# all, and a lone one gets all. Other libraries would start threads for each, or cannot be asked twice at once.
COMPUTES_SEVERAL = {"fp32", "int8"}
MOST_THREADS = 8  # each holds the activations of a batch, and a batch may take several cores
TAKEN = 4  # batches whose texts are sorted by length together: enough to pad little, soon computed
TELLING = 0.5  # of a batch: smaller ones are slower per token than those of a full queue


class Overloaded(Exception):
    """More waits than is computed in the time that a text may wait; `seconds` are those until this is over."""

    def __init__(self, seconds: float) -> None:
        """Say how long to wait."""
        super().__init__(seconds)
        self.seconds = seconds


class Job:
    """The rows of one request in the queue; `answered` becomes the outputs of its questions."""

    def __init__(self, rows: ModelRows, *, deadline: float, join: Callable[[list[Any]], Any] = np.stack) -> None:
        """Begin in the running event loop; `deadline` is on the monotonic clock, and `join` makes outputs of rows."""
        self.rows = rows
        self._join = join
        self.deadline = deadline
        self.abandoned = False  # nobody waits for the answer any more
        self.entered = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self.answered: asyncio.Future[Any] = self._loop.create_future()
        self._outputs: dict[int, Any] = {}
        self._filling = threading.Lock()
        if not rows:  # of words that no token stands for
            self.answered.set_result(join([]))

    def is_wanted(self) -> bool:
        """Return whether anybody still waits for the answer."""
        return not self.abandoned and time.monotonic() < self.deadline

    def fill(self, row: int, outputs: Any) -> None:
        """Take the outputs of one row, from any thread; the last one completes the answer."""
        with self._filling:
            self._outputs[row] = outputs
            is_last = len(self._outputs) == len(self.rows)
        if is_last:
            try:
                result = self._join([self._outputs[place] for place in range(len(self.rows))])
            except Exception as error:  # the answer to this request; the thread that fills must live
                result = error
            self._loop.call_soon_threadsafe(_settle, self.answered, result)

    def fail(self, error: Exception) -> None:
        """Answer with an error."""
        self.abandoned = True
        self._loop.call_soon_threadsafe(_settle, self.answered, error)


QueuedText = tuple[Job, int]  # one row of a job


def _settle(future: "asyncio.Future[Any]", result: Any) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)


def count_prefix(lengths: Iterable[int], *, tokens: int) -> int:
    """Return how many of the first rows have at most `tokens` tokens together; the first one always counts."""
    total = count = 0
    for length in lengths:
        total += length
        if count and total > tokens:
            break
        count += 1
    return count


class Batcher:
    """A model with its queue and its threads."""

    def __init__(self, name: str, predictor: AnyPredictor, metrics: Metrics, *, max_wait: float) -> None:
        """Measure the model's speed by one full batch, then start its threads.

        Args:
            name: The model's name in metrics.
            predictor: The model, which only the threads run from here on.
            metrics: Where batches are counted.
            max_wait: Seconds; while what waits takes longer, nothing more is accepted.
        """
        self.name, self.predictor, self.users = name, predictor, 0
        self._metrics, self._max_wait = metrics, max_wait
        of_text = predictor.answers.questions.of_text
        rows = predictor.encode([of_text("")]) if of_text else []
        self.blank = len(rows[0]) if rows else 0  # the special tokens alone
        # Bytes may unpack to a thousand times as many: they are read a request at a time.
        takes_bytes = "bytes" in predictor.answers.questions.fields.values()
        self.reading = ThreadPoolExecutor(1, f"reading {name}") if takes_bytes else None
        self._batch_tokens = TOKENS_OF_BATCH[predictor.backend]
        self._speed = measure_speed(predictor, self._batch_tokens)
        self._waiting: deque[QueuedText] = deque()
        self._planned: deque[list[QueuedText]] = deque()  # batches of those that have waited longest
        self._tokens = 0  # of all that waits or is being computed
        self._closed = False
        self._idle, self._shared = 0, SharedTime()  # threads that wait for texts, and time of those that compute
        self._changed = threading.Condition()
        count = min(count_cores(), MOST_THREADS) if predictor.backend in COMPUTES_SEVERAL else 1
        self._threads = [threading.Thread(target=self._work, name=f"model {name}", daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()
        metrics.watch_queue(
            name, texts=lambda: len(self._waiting), tokens=lambda: self._tokens, wait=self.estimate_wait
        )

    def estimate_wait(self) -> float:
        """Return the seconds until a text that comes now is computed."""
        return self._speed.estimate_seconds(self._tokens)

    def require_room(self) -> None:
        """Refuse a request of any size while too much waits.

        Raises:
            Overloaded: The expected wait is longer than it may be.
        """
        if (seconds := self.estimate_wait()) > self._max_wait:
            raise Overloaded(seconds - self._max_wait)

    def submit(self, job: Job) -> None:
        """Put the texts of a request at the end of the queue.

        Raises:
            Overloaded: The expected wait is longer than it may be.
        """
        with self._changed:
            self.require_room()
            self._waiting.extend((job, row) for row in range(len(job.rows)))
            self._tokens += sum(map(len, job.rows))
            self._changed.notify()

    def close(self) -> None:
        """Compute what waits, then end the threads, and wait for that."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        if self.reading is not None:
            self.reading.shutdown(wait=False)

    def is_alive(self) -> bool:
        """Return whether the threads run."""
        return all(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while rows := self._take():
            self._compute(rows)

    def _take(self) -> list[QueuedText]:
        """Return the next batch, once there is one; none if the queue is closed and empty."""
        with self._changed:
            self._idle += 1
            self._changed.wait_for(lambda: self._planned or self._waiting or self._closed)
            if not self._planned and self._waiting:
                self._planned.extend(self._plan())
            self._idle -= 1
            rows = self._planned.popleft() if self._planned else []
            if self._planned or self._waiting:
                self._changed.notify()
        now = time.monotonic()
        for job, _ in rows:
            self._metrics.wait_seconds.labels(self.name).observe(now - job.entered)
        return rows

    def _plan(self) -> Iterator[list[QueuedText]]:
        """Yield batches of the texts that have waited longest: one for each idle thread at least, if they suffice."""
        waiting = (len(job.rows[row]) for job, row in self._waiting)
        count = count_prefix(waiting, tokens=TAKEN * self._batch_tokens)
        rows = [self._waiting.popleft() for _ in range(count)]
        lengths = np.array([len(job.rows[row]) for job, row in rows], np.int64)
        most = min(self._batch_tokens, -(-int(lengths.sum()) // self._idle))
        for batch in plan_batches(lengths, batch_tokens=most, batch_size=BATCH_TEXTS, rng=None):
            yield [rows[place] for place in batch]

    def _compute(self, rows: list[QueuedText]) -> None:
        """Answer those texts of a batch that somebody still waits for."""
        wanted = [(job, row) for job, row in rows if job.is_wanted()]
        outcome: Any
        try:
            outcome = self._forward([job.rows[row] for job, row in wanted]) if wanted else np.empty((0, 0))
        except Exception as error:  # whatever it is, it is the answer to these requests, and the thread lives
            outcome = error
        with self._changed:  # there is room again before anybody is told
            self._tokens -= sum(len(job.rows[row]) for job, row in rows)
        for place, (job, row) in enumerate(wanted):
            if isinstance(outcome, Exception):
                job.fail(outcome)
            else:
                job.fill(row, outcome[place])

    def _forward(self, rows: ModelRows) -> Any:
        tokens = sum(map(len, rows))
        with self._changed:
            begun = self._shared.begin(start := time.monotonic())
        try:
            outputs = self.predictor.predict(rows)
        finally:
            with self._changed:
                share = self._shared.end(begun, end := time.monotonic())
        if tokens >= TELLING * self._batch_tokens:
            with self._changed:
                self._speed.add(tokens, share)
        self._metrics.forward_seconds.labels(self.name).observe(end - start)
        self._metrics.batch_texts.labels(self.name).observe(len(rows))
        self._metrics.batch_tokens.labels(self.name).observe(len(rows) * max(map(len, rows)))
        return outputs


def count_cores() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
