import json
import xml.etree.ElementTree as ET

import pyarrow.compute as pc
import pytest

from pipeline.core.tables import read_arrow, read_parquet
from pipeline.search import training
from tests.given.searches import Search, resolve_small, write_tokens


@pytest.fixture(scope="module")
def search(encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("search")
    made = Search(folder / "one", resolve_small(), write_tokens(folder / "tokens.arrow"), encoder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            training, "identify_training", lambda *_, **__: "0" * 64
        )  # which takes longer than these trainings
        made.try_all()
        made.choose()
        made.conclude()
        yield made


def results(search):
    return json.loads((search.root / "results.json").read_text())


def test_the_results_are_those_of_the_trials_and_the_candidates(search):
    found = results(search)
    assert [trial["name"] for trial in found["trials"]] == ["0-1", "0-2", "1-1", "1-2"]
    assert found["cost"]["trainings"] == 4 + 4 * 2
    assert found["cost"]["steps"] == sum(trial["steps"] for trial in found["trials"])
    own = {key: search.resolved["finetune"]["reviews"][key] for key in found["space"]}
    assert found["default"] == found["candidates"][0]["values"] == own
    best = max(found["trials"], key=lambda trial: trial["score"])
    assert found["candidates"][1]["values"] == best["values"]
    assert found["candidates"][1]["trial_score"] == best["score"]
    means = {candidate["candidate"]: candidate["mean"] for candidate in found["candidates"]}
    assert means[found["chosen"]["candidate"]] == max(means.values())
    assert found["optimism"] == pytest.approx(best["score"] - means["first"])
    assert (found["test"] is None) == (found["chosen"]["candidate"] == "default")


def test_no_trial_can_read_a_test_row_and_other_test_labels_give_the_same_bytes(search, encoder, tmp_path):
    assert pc.unique(read_arrow(search.start / "tokens.arrow")["split"]).to_pylist() == ["train", "validation"]
    flipped = write_tokens(tmp_path / "tokens.arrow", flipped=True)
    other = Search(tmp_path / "other", search.resolved, flipped, encoder)
    other.try_all()
    own = {name: data for name, data in search.bytes().items() if name.split("/")[0] in ("start", "0", "1")}
    assert other.bytes() == own


def test_what_is_said_of_test_is_read_of_the_chosen_and_the_default_alone(search):
    before = results(search)
    for candidate in {"first", "second", "third"} - {before["chosen"]["candidate"]}:
        for file in (search.root / "confirm").glob(f"{candidate}-*.parquet"):
            assert read_parquet(file).num_rows == 40
            file.write_bytes(b"damaged")
    assert search.conclude() == before


def test_what_removed_slots_and_seeds_have_left_is_not_read(search):
    before, ran = results(search), json.loads((search.last / "trials/1.json").read_text())
    strangers = {
        search.last / "trials/9.json": {**ran, "score": 1.0},
        search.last / "proposals/9.json": ran["values"],
        search.root / "confirm/first-9.json": {**ran, "score": 1.0},
    }
    finalists = search.bytes(below="finalists")
    for path, document in strangers.items():
        path.write_text(json.dumps(document))
    try:
        search.choose_finalists()
        assert search.bytes(below="finalists") == finalists
        assert search.conclude() == before
    finally:
        for path in strangers:
            path.unlink()


def test_the_page_is_whole_and_loads_nothing(search):
    page = (search.root / "page.html").read_text()
    assert "default-src 'none'" in page
    assert "http" not in page.replace("http-equiv", "")
    for picture in page.split("<svg")[1:]:
        assert ET.fromstring("<svg" + picture.partition("</svg>")[0] + "</svg>") is not None  # noqa: S314


def test_a_default_that_diverged_is_not_compared(search):
    files = [*(search.root / "confirm").glob("default-*.json")]
    kept = {file: file.read_text() for file in files}
    tables = {file: file.read_bytes() for file in (search.root / "confirm").glob("default-*.parquet")}
    try:
        for file, text in kept.items():
            file.write_text(json.dumps({**json.loads(text), "score": None}))
        for file in tables:
            file.write_bytes(b"none")
        found = search.conclude()
    finally:
        for file, text in kept.items():
            file.write_text(text)
        for file, data in tables.items():
            file.write_bytes(data)
    assert found["chosen"]["candidate"] != "default"
    assert found["test"] is None
    assert "diverged" in (search.root / "page.html").read_text()
