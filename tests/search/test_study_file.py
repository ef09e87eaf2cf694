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
    (tmp_path / "data/params.json").write_text(json.dumps(resolve_small()))
    (tmp_path / "data/searched/reviews.json").write_text(json.dumps({"trials": TRIALS}))
    return tmp_path


def test_optuna_opens_what_is_exported(workspace):
    assert main(["export-study", "reviews", "study.log"]) == 0
    backend = optuna.storages.journal.JournalFileBackend(str(workspace / "study.log"))
    study = optuna.load_study(storage=optuna.storages.JournalStorage(backend), study_name="reviews")
    assert [trial.params for trial in study.trials] == [trial["values"] for trial in TRIALS]
    assert study.best_trial.user_attrs["name"] == "0-2"


def test_a_file_that_is_there_and_a_search_that_is_not_are_refused(workspace, capsys):
    (workspace / "study.log").write_text("mine")
    assert main(["export-study", "reviews", "study.log"]) == 2
    assert (workspace / "study.log").read_text() == "mine"
    assert main(["export-study", "spam", "new.log"]) == 2
    (workspace / "data/searched/reviews.json").unlink()
    assert main(["export-study", "reviews", "new.log"]) == 4
    assert "search@reviews" in capsys.readouterr().err
