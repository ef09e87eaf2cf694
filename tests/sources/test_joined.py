"""Two JSON files of a wheel joined to one of JSON Lines."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.core.errors import DataError
from pipeline.settings.sources import Joined, PackageSource
from pipeline.sources.joined import write_joined
from tests.given.sources import make_wheel, package_source

JOIN = {
    "file": "uses.jsonl",
    "rows": {"file": "uses.json", "list": "uses"},
    "key": "of",
    "where": {"type": "uses"},
    "keep": ["text"],
    "lookup": {"file": "things.json", "list": "things"},
    "match": "id",
    "add": ["kinds"],
}
USES = [
    {"of": "a", "type": "uses", "text": "ä\n<b>"},
    {"of": "b", "type": "uses", "text": "two"},
    {"of": "a", "type": "other", "text": "not this"},
    {"of": "nothing", "type": "uses", "text": "nor this"},
]
THINGS = [{"id": "a", "kinds": ["x", "y"], "more": 1}, {"id": "b", "kinds": [], "more": 2}]


def join(folder: Path, uses: Any = USES, things: Any = THINGS, **changes: Any) -> list[Any]:
    (folder / "uses.json").write_text(json.dumps({"uses": uses}), encoding="utf-8")
    (folder / "things.json").write_text(json.dumps({"things": things}), encoding="utf-8")
    write_joined(Joined.model_validate_json(json.dumps({**JOIN, **changes})), folder)
    return [json.loads(line) for line in (folder / "uses.jsonl").read_text(encoding="utf-8").splitlines()]


def test_each_row_has_the_columns_of_the_object_it_names(tmp_path):
    assert join(tmp_path) == [{"text": "ä\n<b>", "kinds": ["x", "y"]}, {"text": "two", "kinds": []}]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"uses": {"a": 1}}, r"uses\.json: uses\[0\]: must be an object with 'of', 'text', 'type'"),
        ({"uses": [*USES, {"of": "a", "type": "uses"}]}, r"uses\.json: uses\[4\]: .*missing: 'text'"),
        ({"things": [*THINGS, {"id": 3, "kinds": []}]}, r"things\.json: things\[2\]: .*the first of them text"),
        ({"things": [*THINGS, THINGS[0]]}, r"things\.json: things\[2\]: id is there twice, found 'a'"),
        ({"rows": {"file": "uses.json", "list": "used"}}, r"uses\.json: has no list 'used', KeyError"),
        ({"rows": {"file": "none.json", "list": "uses"}}, r"none\.json: has no list 'uses', FileNotFoundError"),
    ],
)
def test_files_that_do_not_join(tmp_path, given, words):
    with pytest.raises(DataError, match=words):
        join(tmp_path, **given)


def test_the_file_may_lie_in_a_folder_of_its_own(tmp_path):
    (tmp_path / "uses.jsonl").symlink_to(tmp_path / "new/uses.jsonl")
    assert join(tmp_path, file="new/uses.jsonl")


def test_what_is_no_json_is_named(tmp_path):
    (tmp_path / "things.json").write_bytes(b"[" * 100_000)
    with pytest.raises(DataError, match=r"things\.json: has no list 'things'"):
        write_joined(Joined.model_validate_json(json.dumps(JOIN)), tmp_path)


@pytest.mark.parametrize("file", ["things.json", "uses.json", "../uses.jsonl"])
def test_the_file_that_is_made_is_a_new_one(tmp_path, file):
    wheel = make_wheel(tmp_path, {"a/uses.json": b"", "a/things.json": b""})
    members = {"a/uses.json": "uses.json", "a/things.json": "things.json"}
    source = package_source(wheel, members, joined={**JOIN, "file": file})
    with pytest.raises(ValidationError):
        PackageSource.model_validate_json(json.dumps(source))
    PackageSource.model_validate_json(json.dumps({**source, "joined": JOIN}))
