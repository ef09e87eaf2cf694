"""Numbers of pairs of texts in production, beside those that the evaluation has measured."""

import pytest

from pipeline.core.tables import read_parquet
from pipeline.evaluate.align import align, select_split
from pipeline.predict.linear.predictor import open_predictor
from tests.given.kinds import TASK, Sample, export_sample, place_in_project, run_stages


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Sample:
    return run_stages(tmp_path_factory.mktemp("likeness"), "text-regression-pairs")


@pytest.mark.parametrize("backend", ["torch", "fp32", "linear"])
def test_a_number_of_a_pair_is_the_one_that_was_measured(sample, tmp_path, backend):
    place_in_project(sample, tmp_path)
    made = {"torch": lambda: tmp_path / "data/model" / TASK, "fp32": lambda: export_sample(sample, tmp_path)}
    folder = made.get(backend, lambda: tmp_path / "data/linear" / TASK)()
    predictor = open_predictor(folder, backend=backend, threads=1)
    examples = read_parquet(sample.paths["examples"])
    test = select_split(examples, "test")
    if backend == "linear":
        rows = align(read_parquet(sample.paths["baselines"]), test["id"].to_pylist(), like=examples, what="baselines")
        measured = rows["tfidf"].to_pylist()
    else:
        measured = read_parquet(sample.paths["predictions"])["predicted"].to_pylist()
    kind = predictor.answers
    texts = zip(test["text"].to_pylist(), test["text_pair"].to_pylist(), strict=True)
    prepared = predictor.prepare([kind.questions.read(pair) for pair in texts])
    outputs = kind.join(predictor.compute_outputs(prepared.rows), prepared)
    assert outputs[:, 0].tolist() == pytest.approx(measured, rel=1e-5, abs=0 if backend == "linear" else 1e-5)
