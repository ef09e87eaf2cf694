import pytest

from pipeline.train.identity import identify_training
from tests.given.training import PARAMS, with_params


@pytest.fixture
def inputs(tmp_path):
    (tmp_path / "tokens").write_text("tokens")
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder" / "config.json").write_text("{}")
    return tmp_path / "tokens", tmp_path / "encoder"


def key(inputs, params=PARAMS, stage="finetune"):
    return identify_training(params, inputs, stage=stage)


def test_the_same_training_has_the_same_identity(inputs):
    assert key(inputs) == key(inputs)
    assert len(key(inputs)) == 64


def test_all_that_decides_the_bytes_changes_it(inputs):
    seen = {key(inputs), key(inputs, params=with_params(seed=7)), key(inputs, stage="evaluate")}
    (inputs[1] / "config.json").write_text("{ }")
    seen.add(key(inputs))
    (inputs[1] / "config.json").rename(inputs[1] / "other.json")
    seen.add(key(inputs))
    inputs[0].write_text("other tokens")
    seen.add(key(inputs))
    assert len(seen) == 6
