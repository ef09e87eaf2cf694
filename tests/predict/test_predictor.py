import shutil
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from pipeline.calibration.decision import Decision
from pipeline.core.document import json_text
from pipeline.core.errors import EnvironmentFault, UsageError
from pipeline.core.files import read_json
from pipeline.core.tables import read_arrow
from pipeline.models.batches import to_ragged
from pipeline.models.device import choose_device
from pipeline.models.folder import load_classifier
from pipeline.models.inference import predict_probabilities
from pipeline.predict.bundle import compute_version
from pipeline.predict.logits import compute_in_batches, softmax
from pipeline.predict.predictor import find_answers, load_predictor
from pipeline.settings.shared.text_forms import READS_PAIRS, READS_WINDOWS
from tests.given.exports import LABELS, MAX_LENGTH, TEXTS, prepare_export

# What a machine that only answers has not got.
ABSENT = ("torch", "transformers", "sklearn", "scipy", "pandas", "datasets")


@pytest.fixture(scope="module")
def exported(shared):
    return prepare_export(shared)


@pytest.fixture(scope="module")
def expected(exported):
    """What `evaluate` computes."""
    classifier = load_classifier(exported.model, LABELS)
    return predict_probabilities(classifier, to_ragged(read_arrow(exported.tokens)["input_ids"]), choose_device("fp32"))


def changed_bundle(folder, exported, change):
    """A bundle whose model.json is another, and says so."""
    folder.mkdir()
    for path in exported.bundle.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    manifest = read_json(exported.bundle / "model.json")
    change(manifest)
    manifest["version"] = compute_version(folder, manifest)
    (folder / "model.json").write_text(json_text(manifest), encoding="utf-8")
    return folder


@pytest.mark.parametrize("backend", ["fp32", "torch"])
def test_probabilities_are_those_of_evaluate(exported, expected, backend):
    predictor = load_predictor(exported.model if backend == "torch" else exported.bundle, backend=backend, threads=1)
    assert (predictor.task, predictor.backend, predictor.labels) == ("t", backend, LABELS)
    ids = predictor.encode(TEXTS)
    assert ids == read_arrow(exported.tokens)["input_ids"].to_pylist()
    for start in range(0, len(ids), 37):
        rows = slice(start, start + 37)
        assert predictor.predict(ids[rows]) == pytest.approx(expected[rows], abs=1e-5)
    logits = compute_in_batches(predictor.compute, ids, classes=3, collate=predictor.collate)
    assert softmax(logits) == pytest.approx(expected, abs=1e-5)


def test_int8_is_near_and_the_default(exported, expected):
    predictor = load_predictor(exported.bundle)
    assert predictor.backend == "int8"
    actual = predictor.predict(predictor.encode(TEXTS))
    assert actual.sum(axis=1) == pytest.approx(1, abs=1e-12)
    assert 1e-6 < np.abs(actual - expected).mean() < 0.1


def test_raw_texts_are_put_into_their_normal_form_and_cut(exported):
    predictor = load_predictor(exported.bundle, backend="fp32")
    plain, raw, long = predictor.encode(["good film", "  good\u200bfilm \x00", "good " * 10**6])
    assert plain == raw
    assert len(long) == MAX_LENGTH
    assert predictor.predict([]).shape == (0, 3)


def test_a_bundle_is_opened_without_torch(exported):
    code = (
        "import sys; from pathlib import Path; from pipeline.predict.predictor import load_predictor;"
        "predictor = load_predictor(Path(sys.argv[1])); predictor.predict(predictor.encode(['good']));"
        "import pipeline.predict.command;"
        "print(sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    command = [sys.executable, "-c", code, str(exported.bundle)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "onnxruntime" in output
    assert not [name for name in ABSENT if f"'{name}'" in output]


def test_each_model_has_its_own_version(exported, tmp_path):
    other = changed_bundle(tmp_path / "b", exported, lambda manifest: manifest.update(temperature=2.0))
    versions = [load_predictor(folder).version for folder in (exported.bundle, exported.model, other)]
    assert len({*versions}) == 3
    assert {len(version) for version in versions} == {64}


def test_a_processor_that_computes_otherwise_is_refused(exported, tmp_path):
    def shift(manifest):
        manifest["probe"]["logits"]["fp32"][3][0] += 0.01

    def flip(manifest):
        for logits in manifest["probe"]["logits"]["int8"][:6]:
            logits.append(logits.pop(0))

    with pytest.raises(EnvironmentFault, match=r"0\.01"):
        load_predictor(changed_bundle(tmp_path / "shifted", exported, shift), backend="fp32")
    flipped = changed_bundle(tmp_path / "flipped", exported, flip)
    with pytest.raises(EnvironmentFault, match="6 of 100"):
        load_predictor(flipped, backend="int8")
    assert load_predictor(flipped, backend="fp32").backend == "fp32"


@pytest.mark.parametrize("change", [{"format": 2}, {"labels": "x"}, {"unknown": 1}, {"default": "int4"}])
def test_another_format_is_refused(exported, tmp_path, change):
    with pytest.raises(EnvironmentFault, match=next(iter(change))):
        load_predictor(changed_bundle(tmp_path / "b", exported, lambda manifest: manifest.update(change)))


def test_a_backend_that_is_not_there_is_named(exported, tmp_path):
    for folder, backend in ((exported.bundle, "torch"), (exported.model, "int8"), (exported.model, "fp32")):
        with pytest.raises(UsageError, match=backend):
            load_predictor(folder, backend=backend)
    with pytest.raises(EnvironmentFault, match=r"model\.json"):
        load_predictor(tmp_path)


def test_a_model_folder_takes_the_decision_beside_it(exported):
    path = exported.model.parents[1] / "calibration" / "t.json"
    path.parent.mkdir()
    decision = {"abstain_below": 0.9, "favoured": None, "threshold": None}
    try:
        path.write_text(json_text({"decision": decision}))
        assert load_predictor(exported.model).decision == Decision(**decision)
    finally:
        path.unlink()
        path.parent.rmdir()


def test_a_published_model_brings_its_decision_and_its_version_counts_it(exported, tmp_path):
    """Folders in it, as a bundle below `onnx`, change nothing."""
    folder = tmp_path / "0123"
    shutil.copytree(exported.model, folder)
    plain = load_predictor(folder)
    (folder / "onnx").mkdir()
    assert load_predictor(folder).version == plain.version
    decision = {"abstain_below": 0.9, "favoured": None, "threshold": None}
    (folder / "calibration.json").write_text(json_text({"decision": decision}))
    published = load_predictor(folder)
    assert published.decision == Decision(**decision)
    assert published.version != plain.version


@pytest.mark.parametrize(("name", "key", "value"), [
    ("config.json", "id2label", None), ("tokenizer_config.json", "model_max_length", None),
    ("tokenizer_config.json", "model_max_length", 10**30),
])  # fmt: skip
def test_a_folder_that_is_no_trained_classifier_is_refused(exported, tmp_path, name, key, value):
    folder = tmp_path / "model"
    shutil.copytree(exported.model, folder)
    (folder / name).write_text(json_text({**read_json(folder / name), key: value}))
    with pytest.raises(EnvironmentFault, match="model: not a model that"):
        load_predictor(folder)


def test_ids_may_be_any_sequences(exported):
    predictor = load_predictor(exported.bundle, backend="fp32")
    rows = predictor.encode(TEXTS[:9])
    other = pa.array(rows).to_pylist()
    assert (predictor.predict(tuple(map(tuple, rows))) == predictor.predict(other)).all()


def test_a_folder_and_a_bundle_say_in_which_form_texts_are_read(exported, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(exported.model, folder)
    (folder / "config.json").write_text(json_text({**read_json(folder / "config.json"), READS_PAIRS: True}))
    bundle = changed_bundle(tmp_path / "bundle", exported, lambda manifest: manifest.update({READS_WINDOWS: 4}))
    assert [*load_predictor(folder).answers.questions.fields] == ["text", "pair"]
    text = "good " * 3 * MAX_LENGTH
    assert [len(load_predictor(at, backend="fp32").encode([text])) > 3 for at in (bundle, exported.bundle)] == [
        True,
        False,
    ]
    assert [*find_answers(exported.model).questions.fields] == ["text"]
