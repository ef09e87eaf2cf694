import json
import shutil

import pytest
import torch

from pipeline.core.errors import UsageError
from pipeline.kinds.text_classification.learning import LEARNING
from pipeline.kinds.text_classification.settings import SETTINGS
from pipeline.search import training
from pipeline.search.parts import continue_from, locate_work, publish_checkpoint
from pipeline.search.training import TrainingFiles, train_values
from pipeline.stages import trial
from tests.given.searches import HALVING, Search, list_rounds, resolve_small, section, write_tokens

FINETUNE = {"epochs": 2, "evaluations": 2, "dropout": 0.1}  # 24 updates of 8 rows, 12 of 16: one evaluation a quarter


@pytest.fixture(scope="module", autouse=True)
def _same_identity():
    """Trainings of one identity, which takes longer than they do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "identify_training", lambda *_, **__: "0" * 64)
        yield


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    return write_tokens(tmp_path_factory.mktemp("tokens") / "tokens.arrow")


def make(root, tokens, encoder, *, halving=None):
    own = {"halving": halving} if halving else {}
    return Search(root, resolve_small(FINETUNE, rounds=list_rounds(1), slots=[1, 2, 3, 4], **own), tokens, encoder)


@pytest.fixture(scope="module")
def whole(encoder, tokens, tmp_path_factory):
    search = make(tmp_path_factory.mktemp("whole") / "s", tokens, encoder)
    search.try_all()
    return search


@pytest.fixture(scope="module")
def halved(encoder, tokens, tmp_path_factory):
    search = make(tmp_path_factory.mktemp("halved") / "s", tokens, encoder, halving=HALVING)
    search.try_all()
    return search


def read(search, part, slot):
    return json.loads((search.root / "0" / part / f"{slot}.json").read_text())


def test_a_trial_that_went_through_all_rungs_has_the_bytes_of_one_without(whole, halved):
    assert (halved.root / "0/proposals/1.json").read_bytes() == (whole.root / "0/proposals/1.json").read_bytes()
    ends = {part: [slot for slot in halved.slots if read(halved, part, slot)] for part in ("trials", "0", "1")}
    assert [len(slots) for slots in ends.values()] == [4, 2, 1]
    assert set(ends["1"]) < set(ends["0"])
    (winner,) = ends["1"]
    assert (halved.root / f"0/1/{winner}.json").read_bytes() == (whole.root / f"0/trials/{winner}.json").read_bytes()
    steps = [read(halved, part, winner)["steps"] for part in ends]
    assert [4 * steps[0], 2 * steps[1]] == [steps[2], steps[2]] == 2 * [read(whole, "trials", winner)["steps"]]
    assert [read(halved, part, winner)["stopped"] for part in ends] == ["paused", "paused", "finished"]


def test_only_a_training_that_pauses_leaves_a_checkpoint(halved):
    for part, rest in (("trials", True), ("0", True), ("1", False)):
        for slot in halved.slots:
            folder, result = halved.checkpoint(0, part, slot), read(halved, part, slot)
            paused = rest and result is not None
            assert json.loads((folder / "checkpoint.json").read_text()) == {"paused": paused}
            assert len([*folder.rglob("tensors.safetensors")]) == paused
    assert not [*halved.root.glob("*.checkpoints")]


def test_the_weights_after_a_pause_are_those_of_an_unbroken_training(halved, tmp_path):
    params = section(halved.resolved, "trial", "reviews-round0-1")
    values = {"learning_rate": 3e-3, "batch_size": 8, "layer_decay": 0.9}
    runs = []
    for name, shares in (("whole", (1.0,)), ("parts", (0.25, 0.3, 0.75, 1.0))):
        files = TrainingFiles(halved.start / "tokens.arrow", halved.start / "encoder", tmp_path / name, "trial")
        for share in shares:
            model, document = train_values(params.finetune, values, files, LEARNING, SETTINGS, until=share)
        runs.append((document, model.state_dict()))
    (document, weights), (again, others) = runs
    assert document == again
    assert all(torch.equal(weight, others[name]) for name, weight in weights.items())


def test_a_part_whose_checkpoint_is_damaged_trains_again_to_the_same_bytes(whole, halved):
    (winner,) = [slot for slot in halved.slots if read(halved, "1", slot)]
    wanted = (whole.root / f"0/trials/{winner}.json").read_bytes()
    folder = halved.checkpoint(0, "0", winner)
    kept = folder.with_name("kept")
    shutil.copytree(folder, kept)
    try:
        for record in folder.rglob("record.json"):
            record.write_text("{}")
        halved.climb(0, 1, winner)
        assert (halved.root / f"0/1/{winner}.json").read_bytes() == wanted
    finally:
        shutil.rmtree(folder)
        kept.rename(folder)


def test_a_trial_that_has_ended_is_passed_on(halved):
    ended = {"values": {}, "score": 0.9, "steps": 1, "examples": 8, "stopped": "early"}
    kept = halved.root / "0/kept/0/1.json"
    before = kept.read_text()
    try:
        kept.write_text(json.dumps(ended))
        halved.climb(0, 0, 1)
        assert read(halved, "0", 1) == ended
    finally:
        kept.write_text(before)
        halved.climb(0, 0, 1)


def test_a_part_under_way_goes_on_from_its_own_checkpoint(tmp_path):
    before, work = tmp_path / "before", tmp_path / "work"
    before.mkdir()
    (before / "choice.json").write_text("1")
    continue_from(before, work)
    assert (work / "choice.json").read_text() == "1"
    (work / "choice.json").write_text("2")
    continue_from(before, work)
    assert (work / "choice.json").read_text() == "2"


def test_the_newest_checkpoint_is_published(tmp_path):
    for step in (9, 10):
        folder = tmp_path / "work" / "key" / f"{step:09d}"
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text("{}")
    (tmp_path / "work" / "choice.json").write_text("{}")
    publish_checkpoint(tmp_path / "out", tmp_path / "work")
    assert [path.name for path in (tmp_path / "out" / "key").iterdir()] == ["000000010"]
    assert not (tmp_path / "work").exists()


def test_trainings_of_a_search_have_folders_of_their_own_outside_the_rounds(tmp_path):
    results = ("0/trials/1.json", "0/1/1.json", "0/1/11.json", "confirm/first-1.json")
    folders = {locate_work(tmp_path / result, tmp_path / "start") for result in results}
    assert len(folders) == len(results)
    assert {folder.parent for folder in folders} == {tmp_path}


def test_a_part_without_the_stages_that_follow_is_refused(halved, tmp_path):
    params = section(halved.resolved, "trial", "reviews-round0-1")
    with pytest.raises(UsageError, match="profiles/halving"):
        trial.run(
            params, LEARNING, SETTINGS,
            proposal=halved.root / "0/proposals/1.json", start=halved.start, result=tmp_path / "1.json",
        )  # fmt: skip
