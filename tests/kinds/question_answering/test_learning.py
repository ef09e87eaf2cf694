"""The loss is the library's, and a model that knows an answer gives it."""

import re
import runpy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from pipeline.core.files import read_json
from pipeline.core.tables import read_arrow, read_parquet
from pipeline.kinds.question_answering.learning import LEARNING, READER
from pipeline.kinds.question_answering.measures import MEASURES
from pipeline.kinds.question_answering.objective import span_loss
from pipeline.kinds.question_answering.page import cut_passage
from pipeline.models.device import choose_device
from pipeline.models.folder import load_model
from pipeline.models.inference import collate
from tests.given.kinds import Sample, run_stages, write_report


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Sample:
    return run_stages(tmp_path_factory.mktemp("reading"), "question-answering")


def test_the_loss_of_a_row_is_that_of_the_library(sample):
    rows = LEARNING.rows(read_arrow(sample.paths["tokens"]), "train")
    model, device = load_model(sample.paths["model"], READER).eval(), choose_device("fp32")
    with torch.inference_mode():
        for row in range(len(rows.ids)):
            places, labels = np.array([row]), torch.from_numpy(rows.labels[[row]])
            inputs = collate(model, rows.tokens, places, device)
            stock = model(**inputs, start_positions=labels[:, 0], end_positions=labels[:, 1]).loss
            logits = LEARNING.objective.outputs(model, rows, places, device)
            own = span_loss(logits, rows.tokens.lengths[places].tolist(), labels)
            torch.testing.assert_close(own, stock)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_the_loss_of_rows_is_the_mean_of_theirs(lengths, random):
    torch.manual_seed(random.randrange(1000))
    logits = torch.randn(sum(lengths), 2)
    labels = torch.tensor([[random.randrange(length) for _ in range(2)] for length in lengths])
    alone = [
        span_loss(part, [len(part)], label[None]) for part, label in zip(logits.split(lengths), labels, strict=True)
    ]
    torch.testing.assert_close(span_loss(logits, lengths, labels), torch.stack(alone).mean())


def test_the_threshold_decides_which_questions_have_an_answer(sample):
    test = read_parquet(sample.paths["examples"]).filter(
        np.array(read_parquet(sample.paths["examples"])["split"].to_pylist()) == "test"
    )
    answers = MEASURES.predict(sample.paths["model"], test, read_arrow(sample.paths["tokens"]))
    for threshold, given_none in ((1e9, False), (-1e9, True)):
        table = MEASURES.tabulate(test, answers, {"threshold": threshold})
        assert {text == "" for text in table["predicted"].to_pylist()} == {given_none}
    for row, context in zip(
        MEASURES.tabulate(test, answers, {"threshold": None}).to_pylist(), test["context"], strict=True
    ):
        assert context.as_py()[row["start"] :].startswith(row["predicted"])
    assert read_json(sample.paths["calibration"])["threshold"] is not None


def test_the_saved_tokenizer_gives_the_windows_of_training(sample):
    tokenizer = AutoTokenizer.from_pretrained(sample.paths["model"], local_files_only=True)
    first = read_parquet(sample.paths["examples"]).slice(0, 1).to_pylist()[0]
    stock = tokenizer(
        first["question"], first["context"], truncation="only_second", max_length=32, stride=8,
        return_overflowing_tokens=True,
    )  # fmt: skip
    own = [row for row in read_arrow(sample.paths["tokens"]).to_pylist() if row["id"] == first["id"]]
    for name in ("input_ids", "token_type_ids"):
        assert stock[name] == [row[name] for row in own]


def test_the_snippet_of_the_card_runs(sample, tmp_path, capsys):
    card = (write_report(sample, tmp_path)["cards"] / "sample.md").read_text(encoding="utf-8")
    assert "pipeline_tag: question-answering" in card
    (snippet,) = re.findall(r"```python\n(import torch.*?)```", card, re.DOTALL)
    program = snippet.replace('"data/model/sample"', repr(str(sample.paths["model"])))
    (tmp_path / "snippet.py").write_text(program, encoding="utf-8")
    capsys.readouterr()
    runpy.run_path(str(tmp_path / "snippet.py"))
    answer = capsys.readouterr().out.removesuffix("\n")
    assert answer == "no answer" or answer in "The letter was written by Ada."


def test_a_passage_is_cut_at_its_answers():
    row = {
        "context": "x" * 1000 + "Ada met Tom" + "y" * 1000,
        "answers": ["Ada met", "Ada"], "starts": [1000, 1000], "predicted": "met Tom", "start": 1004,
    }  # fmt: skip
    parts = [part for part in cut_passage(row) if part.actual or part.predicted]
    assert [tuple(part) for part in parts] == [
        ("Ada", True, False), (" ", True, False), ("met", True, True), (" Tom", False, True),
    ]  # fmt: skip
    assert sum(len(part.text) for part in cut_passage(row)) == 11 + 2 * 300 + 2
