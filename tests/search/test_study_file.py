import json

import optuna
import pytest

from pipeline.__main__ import main
from tests.given.searches import resolve_small

TRIALS = [
    {"name": f"0-{slot}", "values": {"learning_rate": rate, "batch_size": 8, "layer_decay": 0.9}, "score": score,
     "steps": 1, "examples": 1, "stopped": "finished" if score else "diverged"}
    for slot, (rate, score) in enumerate([(1e-3, 0.5), (2e-3, 0.75), (1e-2, None)], start=1)
]  # fmt: skip


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/searched").mkdir(parents=True)
    space = resolve_small()["search"]["reviews"]["space"]
    results = {"trials": TRIALS, "space": space, "lower_is_better": False}
    (tmp_path / "data/searched/reviews.json").write_text(json.dumps(results))
    return tmp_path


def test_optuna_opens_what_is_exported(workspace):
    assert main(["export-study", "reviews", "study.log"]) == 0
    backend = optuna.storages.journal.JournalFileBackend(str(workspace / "study.log"))
    study = optuna.load_study(storage=optuna.storages.JournalStorage(backend), study_name="reviews")
    assert [trial.params for trial in study.trials] == [trial["values"] for trial in TRIALS]
    assert study.best_trial.user_attrs["name"] == "0-2"
    assert [path.name for path in workspace.glob("study*")] == ["study.log"]


def test_a_file_that_is_there_and_a_search_that_is_not_are_refused(workspace, capsys):
    (workspace / "study.log").write_text("mine")
    assert main(["export-study", "reviews", "study.log"]) == 2
    assert (workspace / "study.log").read_text() == "mine"
    assert main(["export-study", "spam", "new.log"]) == 4
    (workspace / "data/searched/reviews.json").unlink()
    assert main(["export-study", "reviews", "new.log"]) == 4
    assert "search@reviews" in capsys.readouterr().err


@pytest.mark.parametrize("foreign", ["[]", "{}", "space", "trials"])
def test_what_is_no_result_of_a_search_is_refused(workspace, foreign, capsys):
    file = workspace / "data/searched/reviews.json"
    results = json.loads(file.read_text())
    changes = {"space": {"space": {"epochs": {"low": 1, "high": 2}}}, "trials": {"trials": [{"name": "0-1"}]}}
    file.write_text(json.dumps({**results, **changes[foreign]}) if foreign in changes else foreign)
    assert main(["export-study", "reviews", "study.log"]) == 3
    assert "search@reviews" in capsys.readouterr().err
    assert not [*workspace.glob("study*")]


def test_a_folder_that_cannot_be_made_is_a_fault(workspace):
    (workspace / "file").write_text("")
    assert main(["export-study", "reviews", "file/study.log"]) == 4
