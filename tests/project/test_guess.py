"""Guesses at real files, and what is asked for when a guess is not clear."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.core.errors import DataError, UsageError
from pipeline.examples.lines import LineCap
from pipeline.examples.read import Limits
from pipeline.project.guess import guess_data
from pipeline.project.task import list_doubts

LIMITS = Limits(10**6, LineCap(10**5, "max_cell_bytes"), 10**4)
TEXTS = [f"parcel number {number} came late" for number in range(30)]


def table(path, header, columns, delimiter=","):
    lines = [delimiter.join(header), *(delimiter.join(map(str, row)) for row in zip(*columns, strict=True))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_table(tmp_path):
    kinds = ["b", "a", ""] * 10
    sides = ["train", "train", "test"] * 10
    path = table(tmp_path / "x.csv", ["mail", "team", "part"], [TEXTS, kinds, sides], ";")
    guess = guess_data(path, LIMITS)
    assert (guess.files, guess.layout.delimiter, guess.text, guess.label) == (None, ";", "mail", "team")
    assert (guess.labels, guess.counts, guess.threshold) == (["a", "b"], {"a": 10, "b": 10}, None)
    assert (guess.split, guess.unlabelled) == ("part", 10)


def test_numbers_are_in_order_and_spellings_are_one_class(tmp_path):
    path = table(tmp_path / "x.csv", ["text", "stars"], [TEXTS, ["10", "9", "-1"] * 10])
    assert guess_data(path, LIMITS).labels == ["-1", "9", "10"]
    path = table(tmp_path / "y.csv", ["text", "kind"], [TEXTS, ["Spam", "spam", "spam", "ham", "ham"] * 6])
    assert guess_data(path, LIMITS).labels == {"Spam": "spam", "ham": "ham", "spam": "spam"}


def test_spellings_of_one_class_are_no_task(tmp_path):
    path = table(tmp_path / "x.csv", ["text", "kind"], [TEXTS, ["Spam", "spam"] * 15])
    with pytest.raises(UsageError, match=r"column 'kind': .*'Spam', 'spam'"):
        guess_data(path, LIMITS)


def test_many_numbers_are_cut_at_their_median(tmp_path):
    path = table(tmp_path / "x.csv", ["text", "score"], [[f"{text} {n}" for n in range(5) for text in TEXTS],
                                                         [f"{number / 8}" for number in range(150)]])  # fmt: skip
    guess = guess_data(path, LIMITS)
    assert guess.labels is None
    assert guess.threshold.at == 74 / 8
    assert guess.counts == {"low": 75, "high": 75}


def test_numbers_that_are_mostly_the_largest_have_two_sides(tmp_path):
    scores = [*range(110), *[200] * 190]
    path = table(tmp_path / "x.csv", ["text", "score"], [[f"{text} {n}" for n in range(10) for text in TEXTS], scores])
    guess = guess_data(path, LIMITS)
    assert guess.threshold.at == 109
    assert guess.counts == {"low": 110, "high": 190}


def test_what_is_not_clear_is_asked_for_once(tmp_path):
    path = table(tmp_path / "x.csv", ["title", "reply", "kind"], [TEXTS, TEXTS[::-1], ["a", "b"] * 15])
    asked = []
    guess = guess_data(path, LIMITS, ask=lambda question, answers: asked.append((question, answers)) or "reply")
    assert guess.text == "reply"
    ((_, answers),) = asked
    assert sorted(answers) == ["reply", "title"]
    assert guess_data(path, LIMITS, text="title").text == "title"
    with pytest.raises(UsageError, match="--text COLUMN"):
        guess_data(path, LIMITS)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"text": "x"}, "no column 'x'"),
        ({"text": "kind", "label": "kind"}, "both 'kind'"),
        ({"label": "mail"}, "text and label are both"),
        ({"label": "more"}, "2 to 100 classes here, found 1"),
    ],
)
def test_what_is_given_is_checked(tmp_path, given, words):
    path = table(tmp_path / "x.csv", ["mail", "kind", "more"], [TEXTS, ["a", "b"] * 15, ["x"] * 30])
    with pytest.raises(UsageError, match=words):
        guess_data(path, LIMITS, **given)


def test_too_many_classes(tmp_path):
    path = table(tmp_path / "x.csv", ["text", "id"], [[f"{t} {n}" for n in range(5) for t in TEXTS],
                                                      [f"c{number}" for number in range(150)]])  # fmt: skip
    with pytest.raises(UsageError, match="--label COLUMN"):
        guess_data(path, LIMITS)
    with pytest.raises(UsageError, match="found more than 100"):
        guess_data(path, LIMITS, label="id")


def test_lines_are_no_table(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("one text\nanother\n")
    with pytest.raises(UsageError, match="found 1"):
        guess_data(path, LIMITS)


def test_a_folder_of_the_hub_with_the_names_of_its_classes(tmp_path):
    features = {"text": {"_type": "Value"}, "label": {"_type": "ClassLabel", "names": ["neg", "pos"]}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    (tmp_path / "data").mkdir()
    for split, rows in (("train", 20), ("test", 10)):
        columns = pa.table({"text": TEXTS[:rows], "label": [0, 1] * (rows // 2)})
        pq.write_table(columns.replace_schema_metadata(metadata), tmp_path / f"data/{split}-00000-of-00001.parquet")
    (tmp_path / "README.md").write_text("# A card")
    guess = guess_data(tmp_path, LIMITS)
    assert guess.files == {"train": ["data/train-*.parquet"], "test": ["data/test-*.parquet"]}
    assert (guess.labels, guess.counts) == ({"0": "neg", "1": "pos"}, {"0": 15, "1": 15})


def test_a_parquet_file_of_somebody_else(tmp_path):
    pq.write_table(pa.table({"text": TEXTS, "label": [1, 0] * 15}), tmp_path / "x.parquet")
    guess = guess_data(tmp_path / "x.parquet", LIMITS)
    assert (guess.files, guess.labels, guess.counts) == (None, ["0", "1"], {"0": 15, "1": 15})


def test_files_of_a_folder_have_the_same_columns(tmp_path):
    table(tmp_path / "a.csv", ["text", "label"], [TEXTS, ["a", "b"] * 15])
    table(tmp_path / "b.csv", ["text", "kind"], [TEXTS, ["a", "b"] * 15])
    with pytest.raises(DataError, match=r"other columns than a\.csv"):
        guess_data(tmp_path, LIMITS)


def test_what_else_a_person_should_know_of_the_columns(tmp_path):
    path = table(
        tmp_path / "x.csv", ["", "text", "label", "topic"], [range(30), TEXTS, ["a", "b"] * 15, ["x", "y"] * 15]
    )
    guess = guess_data(path, LIMITS)
    assert (guess.label, guess.other_labels, guess.nameless, guess.header) == ("label", ("topic",), 1, None)
    assert len(list_doubts(guess, {})) == 2


@pytest.mark.parametrize(("first", "label", "rows"), [("a", "b", 1), ("7", "8", 1), ("text", "label", 0)])
def test_a_file_without_a_header_is_told(tmp_path, first, label, rows):
    path = table(tmp_path / "x.csv", [first, label], [TEXTS, (["b", "c"] if label == "b" else ["8", "9"]) * 15])
    guess = guess_data(path, LIMITS)
    assert guess.header == ((first, label) if rows else None)
    assert len(list_doubts(guess, {})) == rows
