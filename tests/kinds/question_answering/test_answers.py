"""The answers of question answering: what was measured is what is answered, over all windows of a passage."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.__main__ import main
from pipeline.answer.question import ScoredSpan
from pipeline.core.errors import EnvironmentFault, UsageError
from pipeline.core.files import read_json, write_json
from pipeline.core.tables import read_arrow, read_parquet
from pipeline.evaluate.align import select_split
from pipeline.kinds.question_answering.answers import ANSWERS, Asked
from pipeline.kinds.question_answering.measures import MEASURES
from pipeline.predict.predictor import load_predictor
from pipeline.predict.questions import Unanswerable
from pipeline.predict.texts import choose_source
from pipeline.reading.decoding import Candidate, Decoded
from tests.given.answering import answering, serving_here
from tests.given.browser import CHROMIUM, BrowserPage, browsing
from tests.given.kinds import TASK, Sample, place_in_project, run_stages
from tests.given.projects import until

LABELS = ANSWERS.outputs(())
CONTEXT = "The soup was cold and the bread was old."


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Sample:
    return run_stages(tmp_path_factory.mktemp("reading"), "question-answering")


@pytest.fixture
def project(sample, tmp_path, monkeypatch) -> Path:
    place_in_project(sample, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_windows_are_those_of_training(sample):
    examples, tokens = read_parquet(sample.paths["examples"]), read_arrow(sample.paths["tokens"])
    predictor = load_predictor(sample.paths["model"])
    rows = examples.select(["context", "question"]).to_pylist()
    prepared = predictor.prepare([predictor.fit(ANSWERS.questions.read([*row.values()])) for row in rows])
    assert [row[:, 0].tolist() for row in prepared.rows] == tokens["input_ids"].to_pylist()
    assert [row[:, 1].tolist() for row in prepared.rows] == tokens["token_type_ids"].to_pylist()
    assert [place[0].tolist() for place in prepared.places] == tokens["starts"].to_pylist()
    assert [place[1].tolist() for place in prepared.places] == tokens["ends"].to_pylist()
    assert [examples["id"][owner].as_py() for owner in prepared.owners] == tokens["id"].to_pylist()
    assert max(np.bincount(prepared.owners)) > 1


@pytest.mark.parametrize("withheld", [0.0, 0.5, 1.0])
def test_a_file_gets_the_answers_that_were_measured(sample, project, withheld):
    test = select_split(read_parquet(sample.paths["examples"]), "test")
    measured = MEASURES.predict(sample.paths["model"], test, read_arrow(sample.paths["tokens"]))
    doubts = np.sort([answer["doubt"] for answer in measured.to_pylist()])
    threshold = float(np.quantile(doubts, 1 - withheld) + (1 if withheld == 0 else -1e-3))
    kept = read_json(sample.paths["calibration"]) | {"threshold": threshold}
    write_json(project / f"data/calibration/{TASK}.json", kept)
    (project / "new.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in test.to_pylist()))
    assert main(["predict", TASK, "new.jsonl", "--out", "out.jsonl"]) == 0
    answers = [json.loads(line) for line in (project / "out.jsonl").read_text().splitlines()]
    for answer, expected in zip(answers, MEASURES.tabulate(test, measured, kept).to_pylist(), strict=True):
        assert (answer["id"], answer["answer"] or "") == (expected["id"], expected["predicted"])
        assert answer["start"] == (expected["start"] if answer["answer"] else None)
        assert answer["probability"] == pytest.approx(expected["probability"], abs=1e-5)
        if answer["answer"]:
            row = test["context"][test["id"].to_pylist().index(answer["id"])].as_py()
            assert row[answer["start"] : answer["end"]] == answer["answer"]
    assert sum(answer["answer"] is None for answer in answers) >= withheld * len(answers)


def test_a_column_is_not_the_passage_and_the_question():
    with pytest.raises(UsageError, match=r"--text: column 'context'"):
        choose_source("new.csv", None, form=None, columns=("context", "context"), questions=ANSWERS.questions)


def test_a_question_that_leaves_no_room_for_a_passage_is_refused(sample, project):
    predictor, long = load_predictor(sample.paths["model"]), "who " * 40
    with pytest.raises(Unanswerable, match="120 tokens"):
        predictor.fit(Asked(CONTEXT, long))
    rows = [{"context": CONTEXT, "question": question} for question in ("was the soup cold", long)]
    (project / "new.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert main(["predict", TASK, "new.jsonl", "--out", "out.jsonl"]) == 0
    assert json.loads((project / "out.jsonl.rejected.jsonl").read_text())["row"] == 2
    with serving_here(predictor) as ask:
        refused, given_scores = ask({"rows": rows}), ask({"rows": rows[:1], "shape": "transformers", "all": True})
        text = ask({"texts": "was the soup cold"})
    assert (refused.status_code, refused.json()["detail"][0]["loc"]) == (422, ["body", "rows", 1])
    assert text.status_code == 422
    ((first, second),) = given_scores.json()
    assert ScoredSpan(**first).score >= ScoredSpan(**second).score


def type_into(page: BrowserPage, field: str, text: str) -> None:
    page.run(f"document.getElementById('{field}').focus()")
    page.call("Input.insertText", text=text)


@pytest.mark.skipif(CHROMIUM is None, reason="there is no browser")
def test_a_browser_marks_the_answer_in_the_passage_that_was_typed(sample, tmp_path):
    passage, question = f"  \U0001f963 <b>Lunch</b> &amp; more\n{CONTEXT}", "was the soup cold"
    with answering(sample.paths["model"]) as server, browsing(server.url, tmp_path / "browser", width=390) as page:
        until(lambda: page.run("document.getElementById('question-row')?.hidden") is False)
        type_into(page, "text", passage)
        type_into(page, "question", question)
        page.call("Input.dispatchKeyEvent", type="keyDown", key="Enter", windowsVirtualKeyCode=13, modifiers=2)  # Ctrl
        until(lambda: page.run("document.querySelectorAll('#answer mark').length") == 1)
        shown, marked, before = page.run(
            "(() => { const mark = document.querySelector('#answer mark'), own = mark.parentNode;"
            "return [own.textContent, mark.textContent, mark.previousSibling?.textContent ?? ''] })()"
        )
        assert page.run("document.querySelectorAll('#answer b').length") == 0
        assert page.run("document.documentElement.scrollWidth") == 390
        rows = [{"context": passage, "question": question}]
        (answer,) = server.client.post("/v1/predict", json={"rows": rows}).json()["answers"]
    assert (shown, marked) == (passage.strip(), answer["answer"])
    assert len(before) == answer["start"]


def test_a_document_of_squad_is_read_as_the_tasks_own(project):
    resolved = read_json(project / "data/params.json")
    resolved["ingest"][TASK] |= {"format": "squad", "file": "dev.json", "split": None}
    write_json(project / "data/params.json", resolved)
    paragraph = {
        "context": CONTEXT,
        "qas": [{"id": "1", "question": "was the soup cold"}, {"id": "2", "question": " "}],
    }
    write_json(project / "new.json", {"data": [{"title": "a", "paragraphs": [paragraph]}]})
    assert main(["predict", TASK, "new.json", "--out", "out.jsonl"]) == 0
    (answer,) = [json.loads(line) for line in (project / "out.jsonl").read_text().splitlines()]
    assert answer["answer"] is None or answer["answer"] in CONTEXT
    assert json.loads((project / "out.jsonl.rejected.jsonl").read_text())["row"] == 2


def test_a_tokenizer_that_divides_no_passages_is_a_fault(sample, tmp_path):
    document = read_json(sample.paths["model"] / "tokenizer.json")
    write_json(tmp_path / "tokenizer.json", document | {"truncation": None})
    with pytest.raises(EnvironmentFault, match=r"tokenizer\.json"):
        ANSWERS.questions.open(tmp_path, 32)


@given(doubt=st.floats(-9, 9), threshold=st.none() | st.floats(-9, 9), share=st.floats(0.01, 0.99))
def test_the_threshold_decides_in_every_form(doubt, threshold, share):
    decoded, asked = Decoded(Candidate(4, 8, 1.0), 1.0 + doubt, share, 1 - share), Asked(CONTEXT, "?")
    withheld = threshold is not None and decoded.doubt > threshold
    (answer,) = ANSWERS.respond([decoded], [asked], LABELS, (threshold,), False)
    assert answer["answer"] == (None if withheld else "soup")
    assert answer["probability"] == pytest.approx(1 - share if withheld else share)
    (scored,) = ANSWERS.pipe([decoded], [asked], LABELS, (threshold,), False)
    assert scored == {"score": answer["probability"], "start": answer["start"] or 0, "end": answer["end"] or 0,
                      "answer": answer["answer"] or ""}  # fmt: skip
    (both,) = ANSWERS.pipe([decoded], [asked], LABELS, (threshold,), True)
    assert {each["answer"] for each in both} == {"", "soup"}
    assert scored in both
