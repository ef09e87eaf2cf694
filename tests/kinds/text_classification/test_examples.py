"""Pairs of texts through `ingest` and `validate`: read as strictly as single texts, and equal if both texts are."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.core.errors import DataError
from pipeline.core.files import read_json
from pipeline.core.tables import read_parquet
from pipeline.examples.text import text_id
from pipeline.kinds.text_classification.checks import CHECKS
from pipeline.kinds.text_classification.examples import EXAMPLES
from pipeline.stages.ingest import run as ingest
from pipeline.stages.validate import run as validate
from tests.given.ingesting import ingest_params
from tests.given.validating import make_params

PAIRS = {"text": "said", "pair": "answer", "label": "fits", "labels": ["no", "yes"]}


def take_in(folder: Path, rows: list[str], **own: Any) -> tuple[Any, Any]:
    """Return the examples as rows, and the intake, of lines `said,answer,fits`."""
    folder.mkdir(exist_ok=True)
    (folder / "tiny.csv").write_text("\n".join(["said,answer,fits,room", *rows]), encoding="utf-8")
    params = ingest_params(**{**PAIRS, **own})
    ingest(params, EXAMPLES, raw=folder, examples=folder / "examples.parquet", intake=folder / "intake.json")
    return read_parquet(folder / "examples.parquet").to_pylist(), read_json(folder / "intake.json")


def test_a_pair_is_an_example_of_its_two_texts(tmp_path):
    rows, intake = take_in(tmp_path, ['" Cafe\u0301 ",\u200bx,yes,1', "b,y,no,2"])
    assert [(row["text"], row["text_pair"], row["label"], row["row"]) for row in rows] == [
        ("Café", "x", 1, 2),
        ("b", "y", 0, 3),
    ]
    assert rows[0]["id"] == text_id("café\0x")
    assert {name: part["rows"] for name, part in intake["changed"].items()} == {
        **{"trimmed": 1, "normalised": 1, "controls": 1, "misread": 0}
    }


def test_pairs_are_equal_if_both_texts_are_in_this_order(tmp_path):
    lines = ["a,b,yes,", "A,B,yes,", "a,c,yes,", "b,a,yes,", "c,d,yes,", "c,d,no,", "a b,c,no,"]
    rows, intake = take_in(tmp_path, lines)
    assert [row["row"] for row in rows] == [2, 4, 5, 8]
    assert intake["dropped"] | {"duplicates": 1, "conflicts": 2} == intake["dropped"]
    assert intake["conflicts"] == {"texts": 1, "rows": 2, "lines": [6, 7]}


def test_a_pair_without_one_of_its_texts_is_empty(tmp_path):
    rows, intake = take_in(tmp_path, ["a,b,yes,", ",b,yes,", "a, ,no,", ",,no,"])
    assert ([row["row"] for row in rows], intake["dropped"]["empty"]) == ([2], 3)


def test_a_split_is_that_of_the_pair_unless_there_is_a_group(tmp_path):
    rows = [f"the same,answer {at},{'yes' if at % 2 else 'no'},{at // 50}" for at in range(200)]
    alone, _ = take_in(tmp_path, rows)
    grouped, _ = take_in(tmp_path, rows, group="room")
    assert len({row["split"] for row in alone}) == 3
    assert all(len({row["split"] for row in grouped[at : at + 50]}) == 1 for at in (0, 50, 100, 150))


@pytest.mark.parametrize(
    ("rows", "own", "words"),
    [
        (["a,b,yes,", "a,\u200bb,no,"], {"controls": "fail"}, r"tiny\.csv:3: column 'answer': 1 .*control"),
        (["\u200ba,b,yes,", "a,\u200bb,no,"], {"controls": "fail"}, r"column 'said'(.|\n)*column 'answer'"),
        (["a,b,yes,", "a,,no,", "c,,no,"], {"empty": "fail"}, r"tiny\.csv:3: column 'answer': 2 row\(s\) without"),
        ([",b,yes,", "a,b,no,"], {"empty": "fail"}, r"tiny\.csv:2: column 'said': 1 row\(s\) without"),
        (["a,b,maybe,"], {}, r"tiny\.csv:2: column 'fits'"),
        (["a,b,yes,", "a,b,no,"], {"conflicts": "fail"}, r"tiny\.csv:2: column 'fits': 2 row\(s\)"),
        (["a,b"], {}, r"tiny\.csv:2"),
        (["a,b,yes,"], {"pair": "reply"}, r"'reply'"),
        ([f"a,{'b' * 2000},yes,"], {}, r"tiny\.csv:2: column 'answer': .*2000 bytes"),
        ([",,,"], {"unlabelled": "fail"}, r"tiny\.csv:2: column 'fits'"),
    ],
)
def test_faults_name_the_column_and_the_lines(tmp_path, rows, own, words):
    with pytest.raises(DataError, match=words):
        take_in(tmp_path, rows, **own)
    assert not (tmp_path / "examples.parquet").exists()


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({"pair": "said"}, "`text` and `pair` must be two columns"),
        ({"pair": "fits"}, "`pair` and `label` must be two columns"),
        ({"text": ["said", "answer"]}, "`text` and `pair` must be two columns"),
        ({"keep": ["text_pair"]}, "`keep` names 'text_pair'"),
        ({"group": "answer"}, "`group` must be a column other than"),
    ],
)
def test_columns_that_contradict_each_other(own, words):
    with pytest.raises(ValidationError, match=words):
        ingest_params(**{**PAIRS, **own})
    ingest_params(keep=["text_pair"])  # without pairs it is a column like any other


def test_the_checks_judge_both_texts_and_what_splits_share(tmp_path):
    words = [(at * 7919 % 997, at * 31 % 89, at * 104729 % 9973, "yes" if at % 2 else "no") for at in range(600)]
    rows = ["line {} of {},answer {},{},".format(*own) for own in words]
    take_in(tmp_path, [*rows[:500], *(f"line of all,{row.split(',', 1)[1]}" for row in rows[500:]), "z,\ufffd,no,"])
    params = make_params(pairs=True, min_chars=2)
    paths = {"examples": tmp_path / "examples.parquet", "intake": tmp_path / "intake.json"}
    validate(params, CHECKS, **paths, findings=tmp_path / "findings.json")
    found = {check["check"]: check for check in read_json(tmp_path / "findings.json")["checks"]}
    for name in ("short_text", "short_pair", "broken_pair"):
        assert (found[name]["outcome"], found[name]["lines"]) == ("failed", [602]), name
    assert found["broken_text"]["outcome"] == "passed"
    assert found["text_pair_given"]["outcome"] == "passed"
    examples = read_parquet(paths["examples"]).to_pylist()
    held_out = [row for row in examples if row["split"] != "train"]
    shared = [row["row"] for row in held_out if row["text"] == "line of all"]
    assert found["shared_share"]["count"] == len(shared) > 5
    assert (found["shared_share"]["outcome"], found["shared_share"]["lines"]) == ("failed", shared[:5])
    assert float(found["shared_share"]["found"]) == pytest.approx(len(shared) / len(held_out), rel=1e-3)
    assert not {"shared_share", "short_pair", "text_pair_given"} & {
        check.check for check in CHECKS.suite(make_params(), ("a", "b"))
    }
