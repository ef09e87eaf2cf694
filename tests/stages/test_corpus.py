"""The stage: files and training splits in, documents and counts out."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.core.errors import DataError
from pipeline.settings.pretrain import CorpusParams
from pipeline.stages.corpus import run
from tests.given.settings import resolve_params, study_params

TEXT = study_params()


def params(**changes: object) -> CorpusParams:
    resolved = resolve_params(TEXT, {})["corpus"]
    text = {**resolved["texts"]["dialogue"], "file": "a.csv", "sentences": ["one", "two"], "rows": 2}
    values = {
        **resolved,
        "texts": {"a": text},
        "tasks": ["t"],
        "protected": {"t": ["text"], "u": ["text"]},
        "held_out": 0.3,
        **changes,
    }
    return CorpusParams.model_validate_json(json.dumps(values))


def make(folder: Path, corpus_params: CorpusParams, rows: int = 40, *, texts: bool = True) -> list[dict]:
    (folder / "raw").mkdir(exist_ok=True)
    (folder / "raw" / "a.csv").write_text("one,two\n" + "".join(f"this {i},that {i}\n" for i in range(rows)))
    (folder / "examples").mkdir(exist_ok=True)
    for task, judged in (("t", "this 3"), ("u", "THAT 5")):
        columns = {"split": ["train", "validation", "test"], "text": [f"learn {task}", judged, f"judged {task}"]}
        columns = columns if texts else {name: values[1:] for name, values in columns.items()}
        pq.write_table(pa.table(columns), folder / "examples" / f"{task}.parquet")
    run(
        corpus_params, raw=folder / "raw", examples=folder / "examples", findings=folder / "findings",
        documents=folder / "corpus.parquet", counts=folder / "corpus.json",
    )  # fmt: skip
    return list(pq.read_table(folder / "corpus.parquet").to_pylist())


def test_documents_keep_their_order_and_no_judged_text_is_among_them(tmp_path):
    rows = make(tmp_path, params())
    assert rows[0]["sentences"] == ["this 0", "that 0", "this 1", "that 1"]
    assert rows[1]["sentences"] == ["this 2", "that 2", "that 3"]
    assert rows[2]["sentences"] == ["this 4", "that 4", "this 5"]
    assert [row["sentences"] for row in rows if row["source"] == "task t"] == [["learn t"]]
    everything = {sentence for row in rows for sentence in row["sentences"]}
    assert not everything & {"this 3", "that 5", "judged t", "judged u", "learn u"}
    assert {row["split"] for row in rows} == {"train", "held_out"}
    counts = json.loads((tmp_path / "corpus.json").read_text())
    assert counts["sources"]["a"]["protected"] == 2
    assert counts["sources"]["a"]["kept"] == 78
    assert counts["protected"] == 4


def test_changed_sentences_are_counted_and_many_broken_ones_refused(tmp_path, capsys):
    folder = tmp_path / "raw"
    folder.mkdir()

    def run_on(rows: list[str], **changes: object) -> dict:
        (folder / "b.csv").write_text("one,two\n" + "".join(rows), encoding="utf-8")
        text = {**json.loads(params().model_dump_json())["texts"]["a"], "file": "b.csv"}
        make(tmp_path, params(texts={"b": text}, **changes))
        return json.loads((tmp_path / "corpus.json").read_text())["sources"]

    good = [f"this {i},that {i}\n" for i in range(40)]
    sources = run_on([*good, "Cafe\u0301,a\x00b\n"])
    assert sources["b"]["changed"] == {"broken": 0, "misread": 0, "controls": 1, "normalised": 1}
    assert "b.csv" not in capsys.readouterr().out
    run_on([*good, "Cafe\u0301,a\x00b\n"], max_changed_share=0.01)
    assert capsys.readouterr().out.count("b.csv: at most 1.00%") == 2
    before = (tmp_path / "corpus.parquet").read_bytes()
    with pytest.raises(DataError, match=r"b\.csv: .*found 1 of 82 .*documents 21.*`corpus\.max_broken_share`"):
        run_on([*good, "don\x92t,x\n"])
    assert (tmp_path / "corpus.parquet").read_bytes() == before


def test_two_sources_of_one_file_are_judged_apart(tmp_path):
    (tmp_path / "raw").mkdir()
    rows = [f"don\x92t {i},fine {i}\n" for i in range(40)]
    (tmp_path / "raw/b.csv").write_text("one,two\n" + "".join(rows), encoding="utf-8")
    text = {**json.loads(params().model_dump_json())["texts"]["a"], "file": "b.csv"}
    texts = {"first": {**text, "sentences": ["one"]}, "second": {**text, "sentences": ["two"]}}
    with pytest.raises(DataError, match=r"b\.csv: .*found 40 of 40 "):
        make(tmp_path, params(texts=texts))


def test_the_same_bytes_come_again(tmp_path):
    make(tmp_path, params())
    before = (tmp_path / "corpus.parquet").read_bytes()
    make(tmp_path, params())
    assert (tmp_path / "corpus.parquet").read_bytes() == before


@pytest.mark.parametrize("changes", [{"texts": {}, "tasks": []}, {"texts": {}, "tasks": ["t"]}])
def test_a_corpus_that_is_empty_is_refused(tmp_path, changes):
    with pytest.raises(DataError, match=r"no document for (train|held_out), \d+ read from (no source|task t)"):
        make(tmp_path, params(**changes), texts=bool(changes["tasks"]))
    assert not (tmp_path / "corpus.parquet").exists()


def test_judged_words_and_every_column_of_texts_stay_out(tmp_path):
    (tmp_path / "examples").mkdir()
    columns = {"split": ["train", "test"], "words": [["this", "1"], ["this", "7"]], "question": ["that 8", "that 9"]}
    pq.write_table(pa.table(columns), tmp_path / "examples/w.parquet")
    rows = make(tmp_path, params(protected={"w": ["words", "question"]}))
    everything = {sentence for row in rows for sentence in row["sentences"]}
    assert {"this 7", "that 9"} & everything == set()
    assert {"this 1", "that 8"} <= everything
