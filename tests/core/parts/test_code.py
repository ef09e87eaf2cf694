import os
from pathlib import Path

import psutil
import pytest

from pipeline.core import fingerprint as fingerprints
from pipeline.core.modules import parse_package
from pipeline.core.parts import code
from pipeline.core.parts.code import fingerprint_running, hash_folder
from pipeline.kinds.image_classification.feed import FEED as PIXELS
from pipeline.kinds.text_classification.feed import FEED
from pipeline.kinds.text_classification.inputs import INPUTS


def test_stages_and_kinds_have_each_their_own():
    found = {
        fingerprint_running("tokenize", "inputs", INPUTS),
        fingerprint_running("extract", "feed", FEED),
        fingerprint_running("extract", "feed", PIXELS),
    }
    assert len(found) == 3
    assert None not in found
    assert fingerprint_running("extract", "feed", FEED) in found


def test_a_facet_of_no_kind_has_none():
    assert fingerprint_running("extract", "feed", object()) is None


def test_it_follows_the_code_as_the_fingerprints_of_stages_do(monkeypatch):
    reached = []

    def watched(modules, starts):
        reached.append(fingerprints.closure(modules, starts))
        return reached[-1]

    monkeypatch.setattr(code, "closure", watched)
    fingerprint_running("extract", "feed", FEED)
    modules = parse_package(Path("pipeline"))
    starts = fingerprints.list_starts(modules, "extract", "text-classification")
    assert reached == [fingerprints.closure(modules, starts)]


def test_another_version_of_a_package_counts(monkeypatch):
    before = fingerprint_running("tokenize", "inputs", INPUTS)
    monkeypatch.setattr("pyarrow.__version__", "0.1")
    assert fingerprint_running("tokenize", "inputs", INPUTS) != before


def test_code_that_is_newer_than_the_process_has_none(monkeypatch):
    newest = max(path.stat().st_ctime for path in Path("pipeline").rglob("*.py"))

    class Process(psutil.Process):
        def create_time(self):
            return began

    monkeypatch.setattr(psutil, "Process", Process)
    began = newest + 1
    assert fingerprint_running("tokenize", "inputs", INPUTS) is not None
    began = Path(code.__file__).stat().st_ctime - 1
    assert fingerprint_running("tokenize", "inputs", INPUTS) is None


@pytest.mark.parametrize("change", ["content", "name", "weights"])
def test_a_folder_has_the_hash_of_its_files(tmp_path, change):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_text("1")
    before = hash_folder(tmp_path), hash_folder(tmp_path, but={".safetensors"})
    os.utime(tmp_path / "model.safetensors", (0, 0))
    assert (hash_folder(tmp_path), hash_folder(tmp_path, but={".safetensors"})) == before
    if change == "content":
        (tmp_path / "inner" / "config.json").write_text("[]")
    elif change == "name":
        (tmp_path / "inner").rename(tmp_path / "other")
    else:
        (tmp_path / "model.safetensors").write_text("2")
    assert hash_folder(tmp_path) != before[0]
    assert (hash_folder(tmp_path, but={".safetensors"}) == before[1]) == (change == "weights")
