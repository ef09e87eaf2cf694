"""Answers about images: files that rows name, what is refused, the bundle without torch, the server and its page."""

import base64
import json
import shutil
import subprocess
import sys
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from PIL import Image

from pipeline.__main__ import main
from pipeline.answer.limits import MAX_FILE_BODY
from pipeline.core.errors import EnvironmentFault
from pipeline.core.files import read_json
from pipeline.core.tables import read_arrow, read_parquet
from pipeline.evaluate.align import select_split
from pipeline.images.decoding import unpack_images
from pipeline.kinds.image_classification.answers import ANSWERS
from pipeline.predict.job import predict_file
from pipeline.predict.predictor import load_predictor
from pipeline.predict.texts import choose_source
from tests.given.answering import answering, serving_here
from tests.given.browser import CHROMIUM, browsing
from tests.given.images import encode_image, noise
from tests.given.kinds import TASK, export_sample, place_in_project, run_stages
from tests.given.projects import until

GOOD = {f"{place}.png": encode_image(noise(20, 30, 3, seed=place)) for place in range(4)}
ANIMATED = encode_image(noise(5, 5), "GIF", save_all=True, append_images=[noise(5, 5, seed=1)])
SMALL = encode_image(noise(1, 1))
HEADER = SMALL[12:16] + (8_000).to_bytes(4, "big") * 2 + SMALL[24:29]  # of 64 million pixels, which are not there
BOMB = SMALL[:12] + HEADER + crc32(HEADER).to_bytes(4, "big") + SMALL[33:]
HOSTILE = {
    "animated.gif": (ANIMATED, "animated"),
    "bomb.png": (BOMB, "50000000 pixels"),
    "cut.png": (encode_image(noise(40, 40))[:-300], "truncated"),
    "empty.png": (b"", "empty"),
    "floats.tiff": (encode_image(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"), "32 bits"),
    "text.png": (b"a text", "no image"),
    "../0.png": (None, "not relative"),
    "missing.png": (None, "without a file"),
    "": (None, "without an image"),
}


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    return run_stages(tmp_path_factory.mktemp("images"), "image-classification")


@pytest.fixture(scope="module")
def bundle(sample, tmp_path_factory):
    return export_sample(sample, tmp_path_factory.mktemp("bundle"))


def write_rows(folder, names, contents):
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "new.csv").write_text("".join(f"{line}\n" for line in ("image,other", *(f"{name},x" for name in names))))
    return folder / "new.csv"


def ask_file(predictor, path, out, **more):
    questions = predictor.answers.questions
    source = choose_source(str(path), None, form=None, columns=(), questions=questions)
    return predict_file(predictor, path, source, out, every=True, **more)


def test_files_named_by_a_table_are_answered_and_each_hostile_one_is_rejected_by_its_line(bundle, tmp_path):
    contents = {name: content for name, (content, _) in HOSTILE.items() if content is not None}
    path = write_rows(tmp_path, [*GOOD, *HOSTILE], {**GOOD, **contents})
    predictor = load_predictor(bundle, backend="fp32", threads=1)
    outcome = ask_file(predictor, path, tmp_path / "out.jsonl")
    assert (outcome.answered, outcome.rejected) == (len(GOOD), len(HOSTILE))
    rejected = [json.loads(line) for line in (tmp_path / "out.jsonl.rejected.jsonl").read_text().splitlines()]
    assert [row["row"] for row in rejected] == [*range(2 + len(GOOD), 2 + len(GOOD) + len(HOSTILE))]
    assert all(words in row["reason"] for row, (_, words) in zip(rejected, HOSTILE.values(), strict=True))


def test_a_part_of_images_that_have_changed_is_made_anew(bundle, tmp_path):
    path = write_rows(tmp_path, GOOD, GOOD)
    predictor = load_predictor(bundle, backend="fp32", threads=1)
    calls = []

    def killed(arrays):
        calls.append(len(arrays["pixel_values"]))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return predictor.compute(arrays)

    with pytest.raises(KeyboardInterrupt):
        ask_file(predictor._replace(compute=killed), path, tmp_path / "out.jsonl", part_rows=2)
    (tmp_path / "0.png").write_bytes(encode_image(noise(9, 9, seed=77)))
    ask_file(predictor, path, tmp_path / "out.jsonl", part_rows=2)
    ask_file(predictor, path, tmp_path / "clean.jsonl", part_rows=2)
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "clean.jsonl").read_bytes()


def test_a_project_answers_what_its_own_table_names(sample, tmp_path, monkeypatch):
    place_in_project(sample, tmp_path)
    shutil.copytree(sample.paths["raw"] / "shapes", tmp_path / "shapes")
    monkeypatch.chdir(tmp_path)
    assert main(["predict", TASK, "shapes/rows.jsonl", "--out", "out.csv", "--strict"]) == 0
    examples = read_parquet(sample.paths["examples"])
    lines = (tmp_path / "out.csv").read_text().splitlines()[1:]
    assert {line.split(",")[1] for line in lines} == {*examples["id"].to_pylist()}


def test_a_bundle_reads_the_bytes_that_training_saw(sample, bundle):
    predictor = load_predictor(bundle, backend="fp32", threads=1)
    examples = select_split(read_parquet(sample.paths["examples"]), "test")
    read = ANSWERS.questions.read
    rows = {name: predictor.fit(read([image])) for name, image in
            zip(examples["id"].to_pylist(), unpack_images(examples["image"]), strict=True)}  # fmt: skip
    inputs = select_split(read_arrow(sample.paths["tokens"]), "test")
    assert inputs.num_rows == len(rows)
    for name, pixels in zip(inputs["id"].to_pylist(), inputs["pixels"].to_pylist(), strict=True):
        assert rows[name].pixels.tobytes() == pixels


def test_an_export_whose_bundle_would_read_otherwise_is_refused(sample, tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.images.shaping.crop_center", lambda pixels, _: 255 - pixels)
    config = sample.paths["model"] / "preprocessor_config.json"
    kept = config.read_text()
    crop = {"do_center_crop": True, "crop_size": {"height": 16, "width": 16}}
    config.write_text(json.dumps(json.loads(kept) | crop | {"image_processor_type": "BitImageProcessor"}))
    try:
        with pytest.raises(EnvironmentFault, match="does not read"):
            export_sample(sample, tmp_path)
    finally:
        config.write_text(kept)


WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in {"torch", "transformers", "torchvision", "sklearn", "scipy", "ruamel"}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
from pipeline.__main__ import main
from pipeline.answer.limits import MAX_FILE_BODY
sys.exit(main(sys.argv[1:]))
"""


def test_a_bundle_needs_no_torch(bundle, tmp_path):
    path = write_rows(tmp_path, GOOD, GOOD)
    words = ["predict", str(bundle), str(path), "--out", str(tmp_path / "out.csv"), "--strict"]
    subprocess.run([sys.executable, "-c", WITHOUT, *words], check=True)
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 1 + len(GOOD)
    assert {path.name for path in bundle.iterdir()} <= {
        "model.onnx", "model.int8.onnx", "model.json", "preprocessor_config.json",
    }  # fmt: skip
    manifest = read_json(bundle / "model.json")
    assert manifest["inputs"] == ["pixel_values"]
    assert set(manifest["versions"]) == {"torch", "transformers", "pillow", "onnx", "onnxruntime"}


def spell(content):
    return base64.b64encode(content).decode()


def test_a_request_is_answered_or_refused_by_row_and_field(bundle):
    predictor = load_predictor(bundle, backend="fp32", threads=1)
    good = [{"image": spell(content)} for content in GOOD.values()]
    with serving_here(predictor) as ask:
        answers = ask({"rows": good, "all": True}).json()["answers"]
        shaped = ask({"rows": good, "shape": "transformers"}).json()
        bad = (*map(spell, (BOMB, ANIMATED, b"a text")), "", "no base64!", "data:image/png;base64,aa==", 3)
        refused = [ask({"rows": [good[0], {"image": image}]}) for image in bad]
        texts = ask({"texts": ["a text"]})
    assert all(set(answer["probabilities"]) == {"disc", "square"} for answer in answers)
    assert [row[0]["label"] for row in shaped] == [answer["label"] for answer in answers]
    assert all([score["score"] for score in row] == sorted(answer["probabilities"].values(), reverse=True)
               for row, answer in zip(shaped, answers, strict=True))  # fmt: skip
    assert {response.status_code for response in (*refused, texts)} == {422}
    assert {(*response.json()["detail"][0]["loc"],) for response in refused} == {("body", "rows", 1, "image")}
    assert "image" in texts.json()["detail"][0]["msg"]


PUT = """
(() => {
  const bytes = Uint8Array.from(atob("%s"), (letter) => letter.charCodeAt(0));
  const files = new DataTransfer();
  files.items.add(new File([bytes], "a.png", {type: "image/png"}));
  document.getElementById("file").files = files.files;
  document.getElementById("file").dispatchEvent(new Event("change"));
  document.getElementById("form").requestSubmit();
})()
"""


@pytest.fixture(scope="module")
def served(bundle):
    with answering(bundle, "--backend", "fp32") as server:
        yield server


def test_a_server_of_images_takes_larger_bodies_than_one_of_texts(served):
    rows = [{"image": spell(encode_image(noise(1000, 1000, 3), "BMP"))}]
    assert served.client.post("/v1/predict", json={"rows": rows}).status_code == 200
    head = b"POST /v1/predict HTTP/1.1\r\nHost: here\r\nContent-Length: %d\r\n\r\n"
    assert b" 413 " in served.send_raw(head % (MAX_FILE_BODY + 1)).partition(b"\r\n")[0]


@pytest.mark.skipif(CHROMIUM is None, reason="there is no browser")
def test_the_page_takes_a_file(served, tmp_path):
    with browsing(served.url, Path(tmp_path, "browser"), width=390) as page:
        until(lambda: page.run("document.getElementById('file-row')?.hidden") is False)
        assert page.run("document.getElementById('text-row').hidden") is True
        page.run(PUT % spell(GOOD["0.png"]))
        until(lambda: page.run("document.querySelectorAll('#answer meter').length") == 2)
        until(lambda: page.run("document.getElementById('shown').naturalWidth") == 30)
        assert page.run("document.documentElement.scrollWidth") == 390
        assert "disc" in page.run("document.getElementById('answer').innerText")
