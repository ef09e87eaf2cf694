"""Reloading: another model in the same folder takes over under load, and a broken one does not."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from pipeline.answer.reload import stamp
from pipeline.calibration.decision import PLAIN
from pipeline.core.files import write_json
from pipeline.predict.bundle import MANIFEST
from tests.given.answering import answering
from tests.given.bundles import expected_probability, make_bundle
from tests.given.projects import until


def test_a_stamp_is_that_of_all_files(tmp_path):
    assert stamp(tmp_path / "none") == stamp(tmp_path) == frozenset()
    (tmp_path / "a").write_text("1")
    first = stamp(tmp_path)
    (tmp_path / "b").write_text("1")
    assert first < stamp(tmp_path)


def test_a_stamp_is_that_of_a_decision_beside_a_model_too(tmp_path):
    model, decision = tmp_path / "model" / "t", tmp_path / "calibration" / "t.json"
    model.mkdir(parents=True)
    (model / "config.json").write_text("{}")
    first = stamp(model)
    write_json(decision, {"decision": None})
    second = stamp(model)
    write_json(decision, {"decision": PLAIN._asdict()})
    assert len({first, second, stamp(model)}) == 3
    (model / MANIFEST).write_text("{}")  # a bundle has its decision in itself
    assert {name for name, *_ in stamp(model)} == {"config.json", MANIFEST}


def test_a_new_model_takes_over_under_load_and_a_broken_one_does_not(tmp_path):
    folder = make_bundle(tmp_path / "films", weight=1.0)
    stop = Event()
    with answering(folder, "--reload") as server, ThreadPoolExecutor(4) as clients:

        def ask() -> list[tuple[int, str, float]]:
            seen = []
            while not stop.is_set():
                response = server.predict(["good film"] * 3, all=True)
                answer = response.json()
                seen.append((response.status_code, answer["version"], answer["answers"][0]["probabilities"]["good"]))
            return seen

        asking = [clients.submit(ask) for _ in range(4)]
        try:
            until(lambda: len(server.named("request")) > 20)
            (folder / "model.onnx").write_bytes(b"half of a mod")
            until(lambda: server.named("not reloaded"))
            make_bundle(tmp_path / "next", weight=3.0)
            shutil.copytree(tmp_path / "next", folder, dirs_exist_ok=True)
            until(lambda: server.named("reloaded"))
            count = len(server.named("request"))
            until(lambda: len(server.named("request")) > count + 20)
        finally:
            stop.set()
        seen = [each for client in asking for each in client.result()]
        version = server.named("reloaded")[-1]["version"]
        assert server.predict("good").json()["version"] == version
        assert server.metric("model") == 1
    assert {code for code, _, _ in seen} == {200}
    by_version = {version: probability for _, version, probability in seen}
    assert len(by_version) == 2
    assert by_version.pop(version) == pytest.approx(expected_probability("good film", weight=3.0))
    assert list(by_version.values()) == [pytest.approx(expected_probability("good film", weight=1.0))]
