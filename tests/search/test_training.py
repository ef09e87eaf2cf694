import json
import signal

import pytest
from safetensors.torch import load, save_file

from pipeline.core.errors import Stopped, UsageError
from pipeline.core.files import write_json
from pipeline.search import training
from pipeline.search.parts import locate_work
from tests.given.searches import SMALL, Search, resolve_small, write_tokens


@pytest.fixture(scope="module")
def search(encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("training")
    made = Search(folder / "search", resolve_small(slots=[1, 2, 3, 4]), write_tokens(folder / "tokens.arrow"), encoder)
    made.withhold()
    return made


def try_values(search, slot, values):
    write_json(search.root / "0" / "proposals" / f"{slot}.json", values)
    search.trial(0, slot)
    return json.loads((search.root / "0" / "trials" / f"{slot}.json").read_text())


def test_a_trial_that_is_stopped_resumes_with_the_same_bytes(search, monkeypatch):
    values = {"learning_rate": 3e-3, "batch_size": 8, "layer_decay": 0.9}
    whole = try_values(search, 1, values)
    assert whole["stopped"] == "finished"
    assert whole["steps"] == 12
    run_to_end = training.run_to_end

    def interrupt(run, folder, **more):
        advance = run.advance

        def advance_then_stop():
            advance()
            if run.done == 5:
                signal.raise_signal(signal.SIGTERM)

        run.advance = advance_then_stop
        return run_to_end(run, folder, **more)

    monkeypatch.setattr(training, "run_to_end", interrupt)
    with pytest.raises(Stopped):
        try_values(search, 2, values)
    checkpoints = locate_work(search.root / "0" / "trials" / "2.json", search.start)
    assert list(checkpoints.rglob("*.safetensors"))
    assert not (search.root / "0" / "trials" / "2.json").exists()
    monkeypatch.setattr(training, "run_to_end", run_to_end)
    assert try_values(search, 2, values) == whole
    assert not checkpoints.exists()


def test_a_trial_that_diverges_has_no_score_and_stops_nothing(search):
    weights = search.start / "encoder" / "model.safetensors"
    sound = weights.read_bytes()
    save_file({name: weight * 1e30 for name, weight in load(sound).items()}, weights, {"format": "pt"})
    result = try_values(search, 3, {"learning_rate": 3e-3, "batch_size": 8, "layer_decay": 1.0})
    weights.write_bytes(sound)
    assert (result["score"], result["stopped"]) == (None, "diverged")
    assert 1 <= result["steps"] <= 12
    assert not [*search.root.glob("*.checkpoints")]


def test_an_idle_slot_has_no_result(search):
    assert try_values(search, 4, None) is None


@pytest.mark.parametrize("values", [{"epochs": 0}, {"freeze_layers": 99}])
def test_values_that_no_training_can_have_are_refused(search, values):
    with pytest.raises(UsageError):
        try_values(search, 4, {**SMALL, "layer_decay": 1.0, **values})
