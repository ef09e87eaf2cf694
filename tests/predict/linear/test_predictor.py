import subprocess
import sys

import numpy as np
import pytest

from pipeline.__main__ import main
from pipeline.calibration.decision import PLAIN
from pipeline.core.errors import UsageError
from pipeline.predict.command import find_folder
from pipeline.predict.linear.predictor import load_linear, open_predictor
from tests.given.answering import serving_here
from tests.given.exports import prepare_export
from tests.given.linear import FILM_CLASSES, FILMS, fit_films, write_films
from tests.given.projects import ENVIRONMENT


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    return write_films(tmp_path_factory.mktemp("films"))


def test_probabilities_are_those_of_the_fit_however_many_rows_are_computed_at_once(films):
    predictor = load_linear(films)
    assert (predictor.labels, predictor.decision, predictor.backend) == (FILM_CLASSES, PLAIN, "linear")
    expected, done = fit_films().predict(np.arange(len(FILMS))), list[int]()
    outputs = predictor.compute_outputs(FILMS * 50, done.append)
    assert outputs.tolist() == expected.tolist() * 50
    assert sum(done) == len(FILMS) * 50
    assert len(done) > 1
    assert predictor.predict(FILMS[:1]).tolist() == expected[:1].tolist()
    assert predictor.predict([]).shape == predictor.compute_outputs([]).shape == (0, 2)


def test_plain_texts_are_read_in_their_normal_form(films):
    texts = [" Cafe\u0301\u200bgood\u0000", "\u200b", "good"]
    assert load_linear(films).encode(texts) == ["Caf\u00e9 good", "", "good"]


def test_texts_are_put_into_their_normal_form_and_nothing_is_cut(films, tmp_path, monkeypatch):
    monkeypatch.chdir(films.parents[2])
    long = "dull " * 20_000 + "good"
    (tmp_path / "new.jsonl").write_text('{"text": " a good\\u200b film\\u0000"}\n{"text": "a good film"}\n')
    (tmp_path / "long.jsonl").write_text(f'{{"text": "{long}"}}\n')
    for name, texts in (("new", ["a good film"] * 2), ("long", [long])):
        out = tmp_path / "out.csv"
        words = ["predict", "t", str(tmp_path / f"{name}.jsonl"), "--out", str(out), "--backend", "linear", "--all"]
        assert main(words) == 0
        found = [float(line.split(",")[-1]) for line in out.read_text().splitlines()[1:]]
        assert found == [pytest.approx(row[1], abs=1e-6) for row in load_linear(films).predict(texts).tolist()]


def test_a_baseline_is_found_by_its_backend_or_its_path_alone(films, shared, monkeypatch):
    monkeypatch.chdir(films.parents[2])
    assert find_folder("t", backend="linear").parts == ("data", "linear", "t")
    assert find_folder(str(films)) == films
    with pytest.raises(UsageError, match=r"^t: no model, found none"):
        find_folder("t")
    with pytest.raises(UsageError, match=r"^other: no model, found t"):
        find_folder("other", backend="linear")
    with pytest.raises(UsageError, match="torch"):
        open_predictor(films, backend="torch")
    bundle = prepare_export(shared).bundle
    with pytest.raises(UsageError, match="no linear baseline"):
        open_predictor(bundle, backend="linear")
    assert open_predictor(bundle).backend == "int8"
    assert open_predictor(films).version == open_predictor(films, backend="linear").version


def test_no_torch_is_imported(films):
    code = (
        "import sys; from pathlib import Path; from pipeline.predict.linear.predictor import open_predictor;"
        "open_predictor(Path(sys.argv[1])).predict(['a good film']);"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    words = [sys.executable, "-c", code, str(films)]
    output = subprocess.run(words, check=True, capture_output=True, text=True, env=ENVIRONMENT).stdout.split()
    assert "sklearn" in output
    assert {"torch", "transformers", "onnxruntime", "cleanlab", "datasets"}.isdisjoint(output)


def test_it_answers_over_http(films):
    with serving_here(load_linear(films)) as ask:
        content = ask({"texts": ["a good film", "dull", "日本"], "all": True}).json()
        scores = ask({"texts": "a good film", "shape": "transformers"}).json()
        other = ask({"texts": [" a  good\u200b film\u0000 "]}).json()["answers"][0]
        empty = ask({"texts": ["good", " "]})
    labels = [answer["label"] for answer in content["answers"]]
    assert labels[:2] == ["good", "bad"]
    assert content["answers"][0]["probabilities"]["good"] == scores[0]["score"]
    assert other["label"] == "good"
    assert empty.status_code == 422


def test_a_server_shows_no_neighbours_of_it(films, monkeypatch, capsys):
    monkeypatch.chdir(films.parents[2])
    assert main(["answer", "t", "--backend", "linear", "--neighbours", "--port", "0"]) == 2
    assert "'t' answers by" in capsys.readouterr().err
