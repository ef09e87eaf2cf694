import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import DataError
from pipeline.examples.text import text_id, text_key
from pipeline.predict.questions import TEXT_QUESTIONS
from pipeline.predict.texts import InputQuestion, choose_source
from pipeline.watch.sample import find_class, read_row_labels, read_sample, require_enough, take_sample
from tests.given.ingesting import ingest_params

INGEST = ingest_params(labels={"1": "good", "0": "bad"})
IDS = st.lists(st.text("0123456789abcdef", min_size=16, max_size=16), unique=True)


@given(IDS, st.integers(1, 20))
def test_a_sample_is_the_smallest_ids_in_whatever_order_they_come(ids, most):
    texts = [InputQuestion(row, identity, "text") for row, identity in enumerate(ids)]
    taken = [text.id for text in take_sample(iter(texts), most)]
    assert taken == sorted(ids)[:most] == [text.id for text in take_sample(reversed(texts), most)]


def test_labels_are_read_from_any_format_by_line(tmp_path):
    path = tmp_path / "new.jsonl.gz"
    rows = [{"text": "fine", "label": 1}, {"text": "poor", "label": 0}, {"text": "who knows", "label": None}]
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    source = choose_source(path.name, INGEST, form=None, columns=())
    assert read_row_labels(path, source, INGEST) == {1: "1", 2: "0", 3: ""}
    sample = read_sample(path, source, TEXT_QUESTIONS, trained_on={text_id(text_key("poor"))}, most=5)
    assert {text.question for text in sample.texts} == {"fine", "who knows"}
    assert (sample.trained_on, sample.new) == (1, 2)
    with pytest.raises(DataError):
        require_enough(sample, path, least=3)


def test_a_file_without_the_column_has_no_labels(tmp_path):
    path = tmp_path / "new.csv"
    path.write_text("text\nfine\n")
    source = choose_source(path.name, INGEST, form=None, columns=())
    assert read_row_labels(path, source, INGEST) == {}


def test_a_class_is_found_by_name_or_by_threshold():
    assert [find_class(label, INGEST) for label in ("1", "0", "2", "")] == ["good", "bad", None, None]
    indexed = ingest_params(labels=None, format="parquet").name_classes(("bad", "good"))
    assert [find_class(label, indexed) for label in ("1", "0", "2", "")] == ["good", "bad", None, None]
    threshold = ingest_params(labels=None, threshold={"at": 0.0, "above": "up", "otherwise": "down"})
    classes = {label: find_class(label, threshold) for label in ("0.1", "-3", "0", "nan", "")}
    assert classes == {"0.1": "up", "-3": "down", "0": "down", "nan": None, "": None}
