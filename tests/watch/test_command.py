import json
from contextlib import chdir

import pytest
from dvc.repo import Repo

from pipeline.__main__ import main
from pipeline.settings.parse import parse_params
from tests.given.revisions import LABELS, Project, settings
from tests.given.settings import dump
from tests.given.watching import write_csv, write_project, write_texts

TASK = "reviews"
FOREIGN = ("фильм", "хлеб", "музыка", "город")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return write_project(tmp_path_factory.mktemp("watch"), TASK)


@pytest.fixture
def watch(project, capsys):
    def run(texts, *words, labels=False, name="new.csv"):
        file = write_csv(project / name, texts, labels=labels)
        with chdir(project):
            code = main(["watch", TASK, str(file), "--json", *words])
        out, err = capsys.readouterr()
        return code, json.loads(out) if out else err

    return run


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return write_project(tmp_path_factory.mktemp("pairs"), TASK, pairs=True)


def names(document):
    return {name for name, number in document["numbers"].items() if number["passed"]}


@pytest.mark.parametrize("seed", range(5, 8))
def test_texts_of_the_same_kind_pass_no_limit(watch, seed):
    code, document = watch(write_texts(seed))
    assert (code, names(document)) == (0, set())
    assert document["rows"]["compared"] == document["rows"]["new"] == 200
    assert document["quality"] is None


@pytest.mark.parametrize(
    ("change", "number"),
    [
        ({"words": (20, 30)}, "length"),
        ({"words": (20, 30)}, "truncated"),
        ({"positive": 0.85}, "classes"),
        ({"others": FOREIGN}, "unknown"),
        ({"others": FOREIGN}, "domain"),
    ],
)
def test_a_change_of_what_comes_in_is_named(watch, change, number):
    code, document = watch(write_texts(6, **change))
    assert code == 1
    assert number in names(document)


def test_labels_give_metrics_and_a_drop_of_accuracy(watch):
    texts = [(text, LABELS[LABELS.index(label) ^ (at % 4 == 0)]) for at, (text, label) in enumerate(write_texts(7))]
    code, document = watch(texts, labels=True)
    assert (code, names(document)) == (1, {"accuracy"})
    accuracy = document["quality"]["file"]["accuracy"]
    assert accuracy["low"] < accuracy["value"] < accuracy["high"] < document["quality"]["test"]["accuracy"]["value"]
    assert document["quality"]["rows"] == 200
    assert not any(text in json.dumps(document) for text, _ in texts)


def test_rows_that_say_nothing_new_are_counted_and_left_out(watch):
    texts = write_texts(8)
    code, document = watch([*texts, *texts[:30], *write_texts(0, 900)[:400], ("  ", LABELS[0])])
    counts = {"all": 631, "new": 200, "compared": 200, "repeated": 30, "trained_on": 400, "rejected": 1}
    assert document["rows"] == {**counts, "reference": 400}
    assert code == 0


def test_no_text_is_shown(project, capsys):
    texts = write_texts(9)
    file = write_csv(project / "secret.csv", texts)
    with chdir(project):
        assert main(["watch", TASK, str(file)]) == 0
    out = capsys.readouterr().out
    assert TASK in out
    assert not any(text in out for text, _ in texts)


def test_too_few_rows_and_broken_files_are_bad_data(watch, project, capsys):
    code, message = watch(write_texts(5, 20))
    assert code == 3
    assert "20" in message
    (project / "broken.csv").write_text('text\n"never closed\n', encoding="utf-8")
    with chdir(project):
        assert main(["watch", TASK, "broken.csv"]) == 3
        assert main(["watch", "nothing", "broken.csv"]) == 2
    assert "nothing" in capsys.readouterr().err


def test_utf8_is_not_read_as_the_tasks_encoding_unless_that_is_said(watch, project):
    path, texts = project / "params.yaml", [(f"{text} caf\u00e9", label) for text, label in write_texts(5)]
    kept, (_, expected) = path.read_text(), watch(texts)
    values, _ = parse_params(kept)
    values["tasks"][TASK]["ingest"]["encoding"] = "cp1252"
    path.write_text(dump(values))
    try:
        code, message = watch(texts)
        _, document = watch(texts, "--encoding", "utf-8")
    finally:
        path.write_text(kept)
    assert code == 2
    assert {"`--encoding", "cp1252`"} <= set(message.split())
    assert document == expected


@pytest.mark.parametrize(
    ("change", "passed"),
    [({}, set()), ({"words": (20, 30)}, {"length", "truncated"}), ({"others": FOREIGN}, {"unknown", "domain"})],
)
def test_pairs_are_compared_as_texts_are(pairs, capsys, change, passed):
    file = write_csv(pairs / "new.csv", write_texts(6, **change), pairs=True)
    with chdir(pairs):
        code = main(["watch", TASK, str(file), "--json"])
    document = json.loads(capsys.readouterr().out)
    assert passed <= names(document)
    assert code == bool(passed) == bool(names(document))
    assert (document["quality"]["rows"], document["rows"]["new"]) == (200, 200)


def test_without_the_encoder_the_rest_is_compared(watch, project):
    encoder = project / "data/raw/minilm"
    away = encoder.rename(project / "away")
    try:
        code, document = watch(write_texts(5))
    finally:
        away.rename(encoder)
    assert code == 0
    assert "domain" not in document["numbers"]
    assert len(document["notes"]) == 1


def test_the_model_of_a_revision_is_compared_row_by_row(watch, project):
    repository = Project(project)
    repository.init()
    repository.write("dvc.yaml", f"stages:\n  t:\n    cmd: make\n    outs: [data/model/{TASK}]\n")
    repository.write(".gitignore", "/data/\n*.csv\n")
    with chdir(project):
        Repo.init().close()
        with Repo() as repo:
            repo.commit(force=True)
    repository.git("add", "--all")
    repository.git("commit", "--quiet", "--message", "Record")
    code, document = watch(write_texts(7), "--against", "HEAD", labels=True)
    assert code == 0
    assert document["against"]["alike"] == 1.0
    assert document["against"]["metrics"]["accuracy"]["difference"] == 0.0
    assert watch(write_texts(7), "--against", "nowhere")[0] == 2


def test_a_model_of_other_classes_than_the_examples_is_refused(watch, project):
    path = project / "data" / "model" / TASK / "config.json"
    kept = path.read_text()
    document = json.loads(kept)
    names_of = document["id2label"]
    document["id2label"] = dict(zip(names_of, reversed(names_of.values()), strict=True))
    path.write_text(json.dumps(document))
    try:
        code, message = watch(write_texts(5))
    finally:
        path.write_text(kept)
    assert code == 4
    assert "other classes" in message


def test_a_task_of_another_kind_is_refused_by_its_name(tmp_path, capsys):
    values, _ = parse_params(settings({TASK: LABELS}))
    values["tasks"][TASK]["kind"] = "text-regression"
    del values["tasks"][TASK]["ingest"]["labels"]
    (tmp_path / "params.yaml").write_text(dump(values), encoding="utf-8")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/profiles.json").write_text("{}")
    file = write_csv(tmp_path / "new.csv", write_texts(5))
    with chdir(tmp_path):
        assert main(["watch", TASK, str(file)]) == 2
    message = capsys.readouterr().err
    assert "text-regression" in message
    assert "text-classification" in message
