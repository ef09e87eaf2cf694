import pytest

from pipeline.run.slots import devices


@pytest.mark.parametrize(
    ("allowed", "found"),
    [("", ()), ("-1", ()), ("0", ("0",)), ("1, 3", ("1", "3")), ("GPU-ab,MIG-c", ("GPU-ab", "MIG-c"))],
)
def test_what_the_environment_allows_is_all_there_is(monkeypatch, allowed, found):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", allowed)
    assert devices() == found


def test_else_the_driver_is_asked(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert devices() == ()
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'GPU 0: A (UUID: GPU-1)'\necho 'GPU 1: A (UUID: GPU-2)'\n")
    tool.chmod(0o755)
    assert devices() == ("0", "1")
    tool.write_text("#!/bin/sh\necho 'no driver'; exit 9\n")
    assert devices() == ()
