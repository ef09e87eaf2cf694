"""The batches of what waits: real models in their threads, asked by an event loop."""

import asyncio
import threading
import time
from contextlib import contextmanager
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.answer import batcher as batcher_module
from pipeline.answer.batcher import TOKENS_OF_BATCH, Batcher, Job, Overloaded, count_prefix
from pipeline.answer.metrics import Metrics
from pipeline.predict.linear.predictor import load_linear
from pipeline.predict.predictor import load_predictor
from tests.given.bundles import expected_probability
from tests.given.linear import write_films
from tests.given.projects import until

LATER = 600.0
TEXTS = [" ".join(["good"] * good + ["bad"] * bad + ["film"]) for good in range(6) for bad in range(6)]


@contextmanager
def batching(folder, threads=1, **more):
    metrics = Metrics()
    with patch.object(batcher_module, "count_cores", lambda: threads):
        batcher = Batcher("films", load_predictor(folder, threads=1), metrics, **{"max_wait": LATER, **more})
    try:
        yield batcher, metrics
    finally:
        batcher.close()
        assert not batcher.is_alive()


def count(metrics: Metrics, name: str) -> float:
    (line,) = [line for line in metrics.expose().decode().splitlines() if line.startswith(f"transferline_{name}{{")]
    return float(line.rpartition(" ")[2])


def make_job(batcher: Batcher, texts, *, seconds: float = LATER) -> Job:
    return Job(batcher.predictor.encode(texts), deadline=time.monotonic() + seconds)


@given(lengths=st.lists(st.integers(1, 600), max_size=50), tokens=st.integers(1, 5000))
def test_the_oldest_are_taken_up_to_a_budget_and_at_least_one(lengths, tokens):
    taken = count_prefix(lengths, tokens=tokens)
    assert taken >= min(1, len(lengths))
    assert taken == 1 or sum(lengths[:taken]) <= tokens
    assert taken == len(lengths) or sum(lengths[: taken + 1]) > tokens


def test_every_text_gets_its_own_answer_in_few_batches(slow):
    async def ask_all(batcher):
        first = make_job(batcher, ["good film " * 30] * 24)  # keeps the thread busy while the others come
        batcher.submit(first)
        jobs = [make_job(batcher, [text, "film"]) for text in TEXTS]
        for job in jobs:
            batcher.submit(job)
        return await asyncio.gather(*(job.answered for job in (first, *jobs)))

    with batching(slow) as (batcher, metrics):
        _, *answers = asyncio.run(ask_all(batcher))
        assert count(metrics, "batch_texts_sum") == 24 + 2 * len(TEXTS)
        assert count(metrics, "batch_texts_count") <= len(TEXTS) / 2
    for text, probabilities in zip(TEXTS, answers, strict=True):
        expected = [expected_probability(text), expected_probability("film")]
        np.testing.assert_allclose(probabilities[:, 1], expected, rtol=1e-5)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)


@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=12))
def test_no_batch_is_beyond_its_budget_and_nothing_is_left(films, sizes):
    async def ask_all(batcher):
        jobs = [make_job(batcher, TEXTS[:size]) for size in sizes]
        for job in jobs:
            batcher.submit(job)
        return await asyncio.gather(*(job.answered for job in jobs))

    with batching(films) as (batcher, metrics):
        answers = asyncio.run(ask_all(batcher))
        until(lambda: batcher.estimate_wait() == 0)
        assert count(metrics, "batch_texts_sum") == sum(min(size, len(TEXTS)) for size in sizes)
        assert count(metrics, "batch_tokens_sum") <= count(metrics, "batch_texts_count") * TOKENS_OF_BATCH["fp32"]
    assert [len(answer) for answer in answers] == [min(size, len(TEXTS)) for size in sizes]


def test_one_text_and_many_are_refused_alike_and_accepted_again_later(slow):
    async def ask(batcher):
        batcher.submit(first := make_job(batcher, ["good film " * 30] * 200))
        assert batcher.estimate_wait() > 0
        for texts in (["good"], TEXTS):
            with pytest.raises(Overloaded) as refused:
                batcher.submit(make_job(batcher, texts))
            assert refused.value.seconds > 0
        await first.answered
        batcher.submit(again := make_job(batcher, TEXTS))
        return len(await again.answered)

    with batching(slow, max_wait=1e-4) as (batcher, _):
        assert asyncio.run(ask(batcher)) == len(TEXTS)


def test_what_nobody_waits_for_is_not_computed(slow):
    async def ask(batcher):
        batcher.submit(first := make_job(batcher, ["good film " * 30] * 64))
        late, gone = make_job(batcher, TEXTS, seconds=1e-3), make_job(batcher, TEXTS)
        batcher.submit(late)
        batcher.submit(gone)
        gone.abandoned = True
        await first.answered
        batcher.submit(last := make_job(batcher, ["good"]))
        await last.answered
        return late.answered.done(), gone.answered.done()

    with batching(slow) as (batcher, metrics):
        assert asyncio.run(ask(batcher)) == (False, False)
        assert count(metrics, "batch_texts_sum") == 65
        until(lambda: batcher.estimate_wait() == 0)


def test_a_failure_is_the_answer_to_its_requests_alone(films):
    async def ask(batcher):
        batcher.submit(bad := Job([[10**9]], deadline=time.monotonic() + LATER))  # no such row of the embeddings
        with pytest.raises(Exception, match="Gather"):
            await bad.answered
        batcher.submit(good := make_job(batcher, ["good film"]))
        return await good.answered

    with batching(films) as (batcher, _):
        assert asyncio.run(ask(batcher))[0, 1] == pytest.approx(expected_probability("good film"))


@pytest.mark.parametrize("threads", [1, 3])
def test_what_waits_at_the_end_is_computed(slow, threads):
    async def ask():
        with batching(slow, threads) as (batcher, _):
            jobs = [make_job(batcher, TEXTS) for _ in range(5)]
            for job in jobs:
                batcher.submit(job)
        return [len(answer) for answer in await asyncio.gather(*(job.answered for job in jobs))]

    assert asyncio.run(ask()) == [len(TEXTS)] * 5


@pytest.mark.parametrize(("backend", "threads"), [("fp32", 3), ("linear", 1)])
def test_idle_threads_share_what_waits_and_compute_at_once(films, tmp_path, monkeypatch, backend, threads):
    """As many batches of one text as there are threads, none of which ends before all have begun."""
    monkeypatch.setattr(batcher_module, "count_cores", lambda: 3)
    predictor = load_linear(write_films(tmp_path)) if backend == "linear" else load_predictor(films, threads=1)
    begun, is_loaded = threading.Barrier(threads), threading.Event()

    def compute(rows):
        if is_loaded.is_set():
            begun.wait(timeout=30)
        return predictor.compute(rows)

    async def ask(batcher):
        is_loaded.set()
        job = make_job(batcher, ["good film"] * threads)
        batcher.submit(job)
        return await job.answered

    metrics = Metrics()
    batcher = Batcher("films", predictor._replace(compute=compute), metrics, max_wait=LATER)
    try:
        assert [thread.name for thread in threading.enumerate()].count("model films") == threads
        until(lambda: batcher._idle == threads)
        answers = asyncio.run(ask(batcher))
    finally:
        batcher.close()
    assert len(answers) == count(metrics, "batch_texts_count") == threads
    assert not batcher.is_alive()


def test_several_threads_answer_as_one_does(slow):
    """Requests of many texts, whose rows several threads compute."""

    async def ask_all(batcher):
        jobs = [make_job(batcher, TEXTS[: 1 + job % len(TEXTS)]) for job in range(60)]
        for job in jobs:
            batcher.submit(job)
        return await asyncio.gather(*(job.answered for job in jobs))

    with batching(slow, 4) as (batcher, _):
        answers = asyncio.run(ask_all(batcher))
        until(lambda: batcher.estimate_wait() == 0)
    for job, probabilities in enumerate(answers):
        expected = [expected_probability(text) for text in TEXTS[: 1 + job % len(TEXTS)]]
        np.testing.assert_allclose(probabilities[:, 1], expected, rtol=1e-5)


def test_batches_that_fail_say_nothing_of_the_speed(films):
    async def ask(batcher):
        before = batcher._speed.estimate_seconds(1000)
        for _ in range(30):
            rows = [[10**9] * TOKENS_OF_BATCH["fp32"]]  # no such row of the embeddings
            batcher.submit(bad := Job(rows, deadline=time.monotonic() + LATER))
            with pytest.raises(Exception, match="Gather"):
                await bad.answered
        return before, batcher._speed.estimate_seconds(1000)

    with batching(films) as (batcher, _):
        before, after = asyncio.run(ask(batcher))
    assert after == before
