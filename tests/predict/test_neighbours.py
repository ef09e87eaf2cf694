import shutil

import pytest

from pipeline.core.errors import DataError, EnvironmentFault, UsageError
from pipeline.core.files import write_json
from pipeline.core.tables import read_parquet, write_parquet
from pipeline.models.tokenizer import load_tokenizer
from pipeline.predict.neighbours import open_neighbours
from pipeline.settings.shared.texts import PAIR
from tests.given.neighbours import TEXTS, TRAIN, write_embedded


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return write_embedded(tmp_path_factory.mktemp("embedded"), "films")


@pytest.fixture
def copy(project, tmp_path, monkeypatch):
    shutil.copytree(project, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


def test_the_nearest_training_texts_come_with_their_labels(copy):
    find = open_neighbours("films")
    tokenizer = load_tokenizer(copy / "data/raw/minilm", max_length=16)
    for text in TEXTS:
        near = find([tokenizer.encode(text).ids])
        similarities = [each["similarity"] for each in near]
        assert similarities == sorted(similarities, reverse=True)
        assert len(near) == len(TRAIN)
        if text in TRAIN:
            assert similarities[0] == pytest.approx(1, abs=1e-3)  # `extract` may have computed in bf16
            assert (near[0]["text"][:9], near[0]["label"]) == (text[:9], "good" if "good" in text else "bad")
        else:
            assert text not in [each["text"] for each in near]
    assert max(len(each["text"]) for each in near) < len(TEXTS[3])
    alone, twice = (find([tokenizer.encode(TEXTS[0]).ids] * windows) for windows in (1, 2))
    assert [each["similarity"] for each in twice] == pytest.approx([each["similarity"] for each in alone], abs=1e-5)


def test_what_is_missing_or_of_another_run_is_named(copy):
    with pytest.raises(UsageError, match="other"):
        open_neighbours("other")
    examples = copy / "data/examples/films.parquet"
    table = read_parquet(examples)
    write_parquet(examples, table.slice(1))
    with pytest.raises(DataError, match="features"):
        open_neighbours("films")
    write_parquet(examples, table.append_column(PAIR, table["text"]))
    with pytest.raises(UsageError, match="no texts of one class each"):
        open_neighbours("films")
    write_parquet(examples, table)
    (copy / "data/features/films.arrow").unlink()
    with pytest.raises(EnvironmentFault, match=r"films\.arrow"):
        open_neighbours("films")


def test_params_of_another_version_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_json(tmp_path / "data/params.json", {"extract": {"films": {"layer": -1}}})
    with pytest.raises(EnvironmentFault, match=r"extract\.films\.task: "):
        open_neighbours("films")
