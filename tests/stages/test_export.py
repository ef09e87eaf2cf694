import shutil

import numpy as np
import onnx
import pytest

from pipeline.core.errors import EnvironmentFault
from pipeline.core.files import read_json, sha256, write_json
from pipeline.predict.bundle import read_manifest
from pipeline.predict.predictor import load_predictor
from tests.given.exports import LABELS, MAX_LENGTH, TEXTS, export_model, paths_in, prepare_export

DECISION = {"abstain_below": 0.5, "favoured": "good", "threshold": 0.3}


@pytest.fixture(scope="module")
def exported(shared):
    return prepare_export(shared)


@pytest.fixture(scope="module")
def again(exported, tmp_path_factory):
    """A second export, with a decision."""
    folder = tmp_path_factory.mktemp("again")
    write_json(folder / "t.json", {"task": "t", "decision": DECISION})
    paths = paths_in(folder)._replace(tokens=exported.tokens, model=exported.model)
    export_model(paths)
    return paths


def test_a_bundle_holds_what_model_json_says(exported):
    manifest = read_manifest(exported.bundle)
    assert {path.name for path in exported.bundle.iterdir()} == {
        "model.onnx", "model.int8.onnx", "tokenizer.json", "model.json",
    }  # fmt: skip
    assert (manifest.task, manifest.labels, manifest.max_length) == ("t", LABELS, MAX_LENGTH)
    assert (manifest.backends, manifest.default, manifest.decision) == (("fp32", "int8"), "int8", None)
    assert manifest.sources["model.safetensors"] == sha256(exported.model / "model.safetensors")
    assert sha256(exported.bundle / "tokenizer.json") == sha256(exported.model / "tokenizer.json")
    assert (exported.bundle / "model.int8.onnx").stat().st_size < (exported.bundle / "model.onnx").stat().st_size
    numbers = read_json(exported.exported)
    assert numbers["version"] == manifest.version
    assert numbers["parity"]["fp32"]["largest_difference"] <= 1e-5
    assert numbers["parity"]["fp32"]["rows"] == len(TEXTS)
    assert numbers["parity"]["fp32"]["flipped"] == 0
    assert numbers["parity"]["int8"]["largest_difference"] > 1e-5


def test_two_exports_give_the_same_bytes_but_for_the_decision(exported, again):
    for name in ("model.onnx", "model.int8.onnx", "tokenizer.json"):
        assert sha256(exported.bundle / name) == sha256(again.bundle / name), name
    first, second = (read_json(paths.bundle / "model.json") for paths in (exported, again))
    assert {key for key in first if first[key] != second[key]} == {"decision", "parity", "version"}
    assert first["parity"]["fp32"]["right"] != second["parity"]["fp32"]["right"]  # of what is answered with it
    assert load_predictor(again.bundle).decision._asdict() == DECISION


def test_a_bundle_names_no_path_of_this_machine(exported):
    for path in exported.bundle.iterdir():
        content = path.read_bytes()
        assert str(exported.model).encode() not in content
        assert b"site-packages" not in content
    graph = onnx.load(str(exported.bundle / "model.onnx")).graph
    assert not [node.name for node in graph.node if node.doc_string or node.metadata_props]


@pytest.mark.parametrize("name", ["model.onnx", "model.int8.onnx", "tokenizer.json"])
def test_a_bundle_with_a_changed_file_is_refused(exported, tmp_path, name):
    broken = tmp_path / "broken"
    shutil.copytree(exported.bundle, broken)
    with (broken / name).open("ab") as stream:
        stream.write(b" ")
    with pytest.raises(EnvironmentFault, match="broken"):
        load_predictor(broken)
    (broken / name).unlink()
    with pytest.raises(EnvironmentFault, match="broken"):
        load_predictor(broken)


def test_the_probe_holds_what_the_backends_compute(exported):
    probe = read_manifest(exported.bundle).probe
    assert {name: np.array(logits).shape for name, logits in probe.logits.items()} == {
        "fp32": (100, len(LABELS)), "int8": (100, len(LABELS)),
    }  # fmt: skip
