import os
import shutil
import subprocess
import sys
import time

import psutil
import pytest
import torch

from pipeline.models import device
from pipeline.models.device import (
    choose_device,
    count_threads,
    cpu_has_bf16,
    measure_bf16_gain,
    seeded,
    with_threads,
)
from pipeline.models.folder import build_classifier, load_encoder

HERE = "cuda" if torch.cuda.is_available() else "cpu"


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_precision_that_is_set_is_taken(precision):
    assert choose_device(precision)[:2] == (torch.device(HERE), precision)


def test_auto_takes_bf16_only_where_the_device_has_it():
    choice = choose_device("auto")
    assert choice.device.type == HERE
    if HERE == "cpu" and not cpu_has_bf16():
        assert choice.precision == "fp32"
        assert "no bf16" in choice.reason


@pytest.mark.parametrize("capability", ["DEFAULT", "AVX2"])
def test_a_torch_restricted_to_older_instructions_has_no_bf16(monkeypatch, capability):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    assert not cpu_has_bf16()


@pytest.mark.skipif(HERE == "cuda", reason="the rule for processors; a GPU is here")
@pytest.mark.parametrize(("gain", "precision"), [(1.0, "fp32"), (1.24, "fp32"), (1.25, "bf16"), (3.0, "bf16")])
def test_a_processor_with_bf16_must_gain_clearly(monkeypatch, gain, precision):
    monkeypatch.setattr(device, "cpu_has_bf16", lambda: True)
    monkeypatch.setattr(device, "measure_bf16_gain", lambda: gain)
    choice = choose_device("auto")
    assert choice.precision == precision
    assert ("at least" in choice.reason) == (precision == "bf16")


def test_the_gain_is_a_ratio_of_real_products():
    assert measure_bf16_gain(size=64, repeats=3) > 0


def test_the_gain_says_how_many_times_as_fast_bf16_is(monkeypatch):
    seconds = {torch.float32: 3.0, torch.bfloat16: 1.5}
    monkeypatch.setattr(device, "_median_seconds", lambda matrix, _repeats: seconds[matrix.dtype])
    assert measure_bf16_gain(size=4) == 2.0


def test_threads_that_are_set_are_taken():
    assert count_threads(3) == (3, "set by `threads`")


@pytest.mark.parametrize(
    ("siblings", "allowed", "count"),
    [
        ({}, range(6), 6),  # Linux does not say
        ({0: "0", 1: "1", 2: "2"}, range(3), 3),
        ({0: "0,4", 1: "1,5", 4: "0,4", 5: "1,5"}, (0, 1, 4, 5), 2),
        ({0: "0-1", 1: "0-1", 2: "2-3", 3: "2-3"}, (1, 2), 2),  # one of each core's two
    ],
)
def test_auto_is_one_a_core(monkeypatch, tmp_path, siblings, allowed, count):
    for processor, text in siblings.items():
        folder = tmp_path / f"cpu{processor}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{text}\n")
    monkeypatch.setattr(device, "TOPOLOGY", tmp_path)
    monkeypatch.setattr(device.os, "sched_getaffinity", lambda _pid: set(allowed), raising=False)
    assert count_threads("auto") == (count, "one a core")


def test_where_no_process_is_bound_to_processors_all_cores_are_taken(monkeypatch):
    monkeypatch.delattr(device.os, "sched_getaffinity", raising=False)
    assert count_threads("auto") == (psutil.cpu_count(logical=False) or 1, "one a core")


@pytest.mark.skipif(shutil.which("lscpu") is None, reason="util-linux, whose answer this is held against, is not here")
def test_auto_is_what_linux_says_of_this_machine():
    lines = subprocess.run(["lscpu", "--parse=CPU,CORE,SOCKET"], capture_output=True, text=True, check=True).stdout
    cores = {int(cpu): core for cpu, core in (line.split(",", 1) for line in lines.splitlines() if line[0] != "#")}
    assert count_threads("auto")[0] == len({cores[processor] for processor in os.sched_getaffinity(0)})


def test_the_gain_counts_one_thread_and_leaves_their_number_as_it_was(monkeypatch):
    used = []
    with with_threads(2):
        monkeypatch.setattr(device, "_median_seconds", lambda *_: used.append(torch.get_num_threads()) or 1.0)
        assert measure_bf16_gain(size=4) == 1.0
        assert torch.get_num_threads() == 2
    assert used == [1, 1]


def test_the_gain_does_not_count_what_the_processor_does_for_others(monkeypatch):
    """The clock is the thread's own: it ticks once a product here, twice a product in fp32."""
    ticks, real = [0.0], torch.Tensor.__matmul__

    def product(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        ticks[0] += 2.0 if left.dtype == torch.float32 else 1.0
        return real(left, right)

    monkeypatch.setattr(torch.Tensor, "__matmul__", product)
    monkeypatch.setattr(time, "thread_time", lambda: ticks[0])
    for name in ("perf_counter", "monotonic", "process_time", "time"):
        monkeypatch.setattr(time, name, lambda: pytest.fail("another clock was asked"))
    assert measure_bf16_gain(size=4) == 2.0


def test_what_is_drawn_depends_on_the_seed_alone_and_changes_no_state():
    state = torch.get_rng_state()
    drawn = []
    for seed in (3, 3, 4):
        with seeded(seed):
            drawn.append(torch.rand(4).tolist())
    assert torch.equal(torch.get_rng_state(), state)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        assert drawn[0] == drawn[1] == torch.rand(4).tolist()
    assert drawn[2] != drawn[0]


def test_of_several_gpus_the_current_one_alone_has_its_state_kept(monkeypatch, encoder):
    kept = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 3)
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: device)
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, device: kept.append((state, device)))
    build_classifier(encoder, ["no", "yes"], dropout=0.0, seed=0)
    load_encoder(encoder)
    assert kept == [(3, 3), (3, 3)]


def test_freed_memory_is_kept_for_the_next_tensors():
    """In a process of its own: asking again for what was freed touches no new page."""
    code = (
        "import resource, torch; from pipeline.models.device import keep_memory; keep_memory()\n"
        "faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "for _ in range(2): torch.ones(2**22)\n"
        "before = faults()\n"
        "for _ in range(50): torch.ones(2**22)\n"
        "print(faults() - before)"
    )
    faults = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert (
        int(faults) < 50 * (2**22 * 4 / 4096) / 4
    )  # of the pages they have in all; what is not kept touches each anew
