"""Lines of params.yaml for the sample of each kind, and for files of other layouts."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.commands.line import answer
from pipeline.core.errors import DataError, UsageError
from pipeline.core.stage import KINDS
from pipeline.core.tables import describe_features
from pipeline.project.drafts.draft import add_task, draft_task
from pipeline.settings.parse import parse_params
from tests.given.settings import read, resolve_params, with_profiles

SAMPLES = Path("data/sample")
PARAMS = with_profiles("params.yaml", "gallery")


def task_of(draft):
    return parse_params(draft.params)[0]["tasks"]["trial"]


def write_lines(path, rows):
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def project(folder):
    (folder / "params.yaml").write_text(read("params.yaml"), encoding="utf-8")
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_the_columns_of_a_sample_are_those_of_its_task(kind):
    table = next((SAMPLES / kind).rglob("rows.*"))
    draft = draft_task(kind, "trial", table, PARAMS)
    own, _ = parse_params((SAMPLES / kind / "task.yaml").read_text(encoding="utf-8"))
    if kind == "multi-label-classification":  # whether a row may have no class is the person's to say
        (problem,) = draft.undecided
        assert "no_labels" in problem
        assert "labels: [film, food, music]" in draft.block
        return
    task = task_of(draft)
    columns = {"image", "label", "text", "words", "tags", "context", "question", "answers", "split"}
    assert not draft.undecided
    given = {key: value for key, value in own["ingest"].items() if key in columns}
    assert {key: task["ingest"][key] for key in given} == given
    assert set(task["ingest"].get("labels", ())) == set(own["ingest"].get("labels", ()))
    assert resolve_params(draft.params, {})["kinds"]["trial"] == kind


def test_the_shipped_passages_are_a_squad():
    ingest = task_of(draft_task("question-answering", "trial", Path("data/raw/passages.json"), read("params.yaml")))[
        "ingest"
    ]
    assert (ingest["file"], ingest["format"], ingest["context"]) == ("passages.json", "squad", "context")


def test_class_lists_in_cells_of_a_table(tmp_path):
    lines = ["said;about", *(f"parcel {n} came late;{'film|food' if n % 2 else 'film'}" for n in range(60))]
    (tmp_path / "x.csv").write_text("\n".join(lines), encoding="utf-8")
    ingest = task_of(draft_task("multi-label-classification", "trial", tmp_path / "x.csv", PARAMS))["ingest"]
    assert ingest["delimiter"] == ";"
    assert (ingest["text"], ingest["label"], ingest["separator"]) == ("said", "about", "|")
    assert ingest["labels"] == ["film", "food"]


@pytest.mark.parametrize(
    ("tags", "scheme", "labels"),
    [
        (["B-PER", "I-PER", "O"], None, ["PER"]),
        (["B-PER", "L-PER", "U-LOC"], "bilou", ["LOC", "PER"]),
        (["B-PER", "E-PER", "S-LOC"], "bilou", ["LOC", "PER"]),
        (["DET", "NOUN", "VERB"], "none", ["DET", "NOUN", "VERB"]),
        ([0, 1, 2], "none", ["0", "1", "2"]),
    ],
)
def test_the_scheme_of_tags_is_seen(tmp_path, tags, scheme, labels):
    words = [["one", "two", f"word{at}"] for at in range(50)]
    pq.write_table(pa.table({"tokens": words, "ner_tags": [tags] * 50}), tmp_path / "x.parquet")
    draft = draft_task("token-classification", "trial", tmp_path / "x.parquet", PARAMS)
    ingest = task_of(draft)["ingest"]
    assert (ingest["words"], ingest["tags"], ingest.get("scheme")) == ("tokens", "ner_tags", scheme)
    assert ingest["labels"] == labels


@pytest.mark.parametrize(
    ("kind", "column", "cell", "names", "scheme"),
    [
        ("token-classification", "ner_tags", [0, 1, 2], ["O", "B-PER", "I-PER", "B-LOC"], None),
        ("token-classification", "ner_tags", [2, 1, 0], ["DET", "NOUN", "VERB"], "none"),
        ("multi-label-classification", "topics", [2, 0], ["film", "food", "music"], None),
    ],
)
def test_a_file_of_the_library_datasets_names_its_lists_of_numbers(tmp_path, kind, column, cell, names, scheme):
    texts = {"tokens": [["one", "two", f"word{at}"] for at in range(50)]}
    if kind != "token-classification":
        texts = {"text": [f"they said this is word {at}" for at in range(50)]}
    features = {column: {"feature": {"names": names, "_type": "ClassLabel"}, "_type": "List"}}
    table = pa.table({**texts, column: pa.array([cell] * 50, pa.list_(pa.int64()))})
    pq.write_table(table.replace_schema_metadata(describe_features(features)), tmp_path / "x.parquet")
    ingest = task_of(draft_task(kind, "trial", tmp_path / "x.parquet", PARAMS))["ingest"]
    assert ingest["labels"] == {str(index): names[index] for index in sorted(cell)}
    assert ingest.get("scheme") == scheme


def test_many_numbers_are_cut_and_rows_without_a_label_are_dropped(tmp_path):
    rows = [{"said": f"parcel {n} came late", "score": n / 8 if n else None} for n in range(300)]
    ingest = task_of(draft_task("text-classification", "trial", write_lines(tmp_path / "x", rows), PARAMS))["ingest"]
    assert ingest["threshold"] == {"at": 149 / 8 + 1 / 8, "above": "high", "otherwise": "low"}
    assert ingest["unlabelled"] == "drop"


def test_what_is_not_there_is_said_and_nothing_is_written(tmp_path):
    root = project(tmp_path)
    lines = add_task("token-classification", "trial", SAMPLES / "reviews.csv", write=False, root=root).splitlines()
    assert [line.split(":")[1].strip() for line in lines if line.startswith("# Not decided")] == ["words", "tags"]
    with pytest.raises(UsageError, match="words"):
        add_task("token-classification", "trial", SAMPLES / "reviews.csv", write=True, root=root)
    assert (root / "params.yaml").read_text(encoding="utf-8") == read("params.yaml")


def test_images_need_an_encoder_that_reads_them():
    table = SAMPLES / "image-classification/shapes/rows.jsonl"
    assert "encoder" in draft_task("image-classification", "trial", table, read("params.yaml")).undecided[0]
    assert task_of(draft_task("image-classification", "trial", table, PARAMS))["encoder"] == "raw/resnet"


def test_the_lines_are_added_and_comments_stay(tmp_path):
    root = project(tmp_path)
    raw = root / "data/raw/trial"
    raw.mkdir(parents=True)
    shutil.copyfile(SAMPLES / "text-regression/rows.csv", raw / "rows.csv")
    printed = add_task("text-regression", "trial", raw / "rows.csv", write=True, root=root)
    text = (root / "params.yaml").read_text(encoding="utf-8")
    assert text.startswith(read("params.yaml").rstrip("\n"))
    assert "      file: trial/rows.csv\n      text: text\n      label: rating\n      split: split\n" in text
    assert "cp" not in printed
    with pytest.raises(UsageError, match="already"):
        add_task("text-regression", "trial", raw / "rows.csv", write=True, root=root)


def test_the_command_prints_the_lines(capsys):
    assert answer(["new", "text-regression", "trial", str(SAMPLES / "text-regression/rows.csv")]) == 0
    assert parse_params(f"tasks:\n{capsys.readouterr().out}")[0]["tasks"]["trial"]["kind"] == "text-regression"


def test_a_file_elsewhere_is_to_be_put_where_the_pipeline_reads_it(tmp_path):
    lines = add_task(
        "text-regression", "trial", SAMPLES / "text-regression/rows.csv", write=False, root=project(tmp_path)
    )
    assert "dvc add data/raw/trial/rows.csv" in lines.splitlines()[-1]


def test_params_of_an_older_version_are_refused_with_what_to_write(tmp_path):
    rows = [{"text": f"parcel {n} came late", "label": "xy"[n % 2]} for n in range(60)]
    for line, words in (("    kind: text-classification\n", "kind"), ("  max_cell_bytes: ", "max_cell_bytes")):
        old = "".join(
            row for row in read("params.yaml").splitlines(keepends=True) if not row.startswith(line.rstrip(" "))
        )
        with pytest.raises(UsageError, match=words):
            draft_task("text-classification", "trial", write_lines(tmp_path / "x", rows), old)


def test_hostile_columns_stay_text(tmp_path):
    odd = "a: b #\n- c"
    rows = [{odd: f"parcel {n} came late", odd + "2": f"letter {n} was lost", "label": "xy"[n % 2]} for n in range(60)]
    draft = draft_task("text-classification", "trial", write_lines(tmp_path / "x", rows), PARAMS)
    assert task_of(draft)["ingest"]["text"] == odd


@pytest.mark.parametrize(
    ("kind", "name", "file", "error"),
    [
        ("text-poetry", "trial", SAMPLES / "reviews.csv", UsageError),
        ("text-regression", "no name", SAMPLES / "reviews.csv", UsageError),
        ("text-regression", "minilm", SAMPLES / "reviews.csv", UsageError),
        ("text-regression", "trial", SAMPLES / "nothing.csv", UsageError),
        ("text-regression", "trial", SAMPLES, UsageError),
        ("text-regression", "trial", SAMPLES / "image-classification/shapes/images/01.png", DataError),
    ],
)
def test_wrong_arguments(tmp_path, kind, name, file, error):
    with pytest.raises(error):
        add_task(kind, name, file, write=False, root=project(tmp_path))
