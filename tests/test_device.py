import subprocess
import sys
import time

import pytest
import torch

from pipeline import device
from pipeline.device import bf16_gain, choose, cpu_has_bf16, stopwatch, threads, threads_gain

HERE = "cuda" if torch.cuda.is_available() else "cpu"


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_precision_that_is_set_is_taken(precision):
    assert choose(precision)[:2] == (torch.device(HERE), precision)


def test_auto_takes_bf16_only_where_the_device_has_it():
    found = choose("auto")
    assert found.device.type == HERE
    if HERE == "cpu" and not cpu_has_bf16():
        assert found.precision == "fp32"
        assert "no bf16" in found.reason


@pytest.mark.skipif(HERE == "cuda", reason="the rule for processors; a GPU is here")
@pytest.mark.parametrize(("gain", "precision"), [(1.0, "fp32"), (1.24, "fp32"), (1.25, "bf16"), (3.0, "bf16")])
def test_a_processor_with_bf16_must_gain_clearly(monkeypatch, gain, precision):
    monkeypatch.setattr(device, "cpu_has_bf16", lambda: True)
    monkeypatch.setattr(device, "bf16_gain", lambda: gain)
    found = choose("auto")
    assert found.precision == precision
    assert ("at least" in found.reason) == (precision == "bf16")


def test_the_gain_is_a_ratio_of_real_products():
    assert bf16_gain(size=64, repeats=3) > 0


def test_the_gain_says_how_many_times_as_fast_bf16_is(monkeypatch):
    seconds = {torch.float32: 3.0, torch.bfloat16: 1.5}
    monkeypatch.setattr(device, "_median_seconds", lambda matrix, _repeats, _clock: seconds[matrix.dtype])
    assert bf16_gain(size=4) == 2.0


def test_threads_that_are_set_are_taken():
    assert threads(3) == (3, "set by `threads`")


def test_auto_is_one_a_core(monkeypatch, tmp_path):
    monkeypatch.setattr(device, "SHARED_CORES", tmp_path / "absent")
    monkeypatch.setattr(device.os, "sched_getaffinity", lambda _pid: set(range(6)))
    assert threads("auto") == (6, "one a core")


@pytest.mark.parametrize(("gain", "count"), [(1.0, 3), (1.24, 3), (1.25, 6)])
def test_two_threads_a_core_must_gain_clearly(monkeypatch, tmp_path, gain, count):
    (tmp_path / "active").write_text("1\n")
    monkeypatch.setattr(device, "SHARED_CORES", tmp_path / "active")
    monkeypatch.setattr(device.os, "sched_getaffinity", lambda _pid: set(range(6)))
    monkeypatch.setattr(device, "threads_gain", lambda _more, _fewer: gain)
    assert threads("auto")[0] == count


def test_the_gain_of_threads_leaves_their_number_as_it_was():
    before = torch.get_num_threads()
    assert threads_gain(2, 1, size=64, repeats=3) > 0
    assert torch.get_num_threads() == before


def test_the_stopwatch_of_a_processor_counts_one_thread_and_nothing_else():
    before = torch.get_num_threads()
    with stopwatch(torch.device("cpu")) as clock:
        assert torch.get_num_threads() == 1
        start = clock()
        time.sleep(0.2)  # as if the processor worked for somebody else
        assert clock() - start < 0.1
        matrix, worked, begin = torch.ones(256, 256), clock(), time.perf_counter()
        while time.perf_counter() - begin < 0.2:
            matrix @ matrix
        assert clock() > worked
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("name", ["cuda", "meta"])
def test_the_stopwatch_of_another_device_is_the_wall_clock(name):
    before = torch.get_num_threads()
    with stopwatch(torch.device(name)) as clock:
        assert clock is time.perf_counter
        assert torch.get_num_threads() == before


def test_freed_memory_is_kept_for_the_next_tensors():
    """In a process of its own: asking again for what was freed touches no new page."""
    code = (
        "import resource, torch; from pipeline.device import keep_memory; keep_memory()\n"
        "faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "for _ in range(2): torch.ones(2**22)\n"
        "before = faults()\n"
        "for _ in range(50): torch.ones(2**22)\n"
        "print(faults() - before)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(found) < 50 * (2**22 * 4 / 4096) / 4  # of the pages they have in all; what is not kept touches each anew
