import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from pipeline.core.errors import EnvironmentFault
from pipeline.models.tokenizer import CHARS_PER_TOKEN, encode, load_tokenizer

CLS, SEP = 2, 3


def ids(encoder, texts, *, max_length=12, batch_texts=100):
    whole = pa.record_batch({"text": pa.array(texts, pa.string())})
    batches = (whole.slice(start, batch_texts) for start in range(0, len(texts), batch_texts))
    encoded = list(encode(load_tokenizer(encoder, max_length=max_length), batches, max_length=max_length))
    assert pa.concat_batches([batch for batch, _, _ in encoded] or [whole]).equals(whole)
    assert all(rows.type == pa.list_(pa.int32()) for _, rows, _ in encoded)
    return [row for _, rows, _ in encoded for row in rows.to_pylist()], [
        c for _, _, cut in encoded for c in cut.to_pylist()
    ]


def test_the_ids_are_the_stock_tokenizers(encoder):
    texts = ["A good film!", "the plot was dull", "", "a " * 50]
    stock = AutoTokenizer.from_pretrained(encoder)(texts, truncation=True, max_length=12)["input_ids"]
    assert ids(encoder, texts)[0] == stock


def test_what_is_cut_is_said(encoder):
    rows, truncated = ids(encoder, ["a " * 10, "a " * 11, "x" * 12 * CHARS_PER_TOKEN, "y" * (12 * CHARS_PER_TOKEN + 1)])
    assert truncated == [False, True, False, True]
    assert [len(row) for row in rows] == [12, 12, 3, 3]
    assert all(row[0] == CLS and row[-1] == SEP for row in rows)


@given(st.lists(st.text(alphabet="ab [MASK]SEPCLS.", max_size=30), max_size=9), st.integers(1, 5))
def test_no_text_makes_special_tokens_and_the_batch_does_not_matter(encoder, texts, batch_texts):
    rows, _ = ids(encoder, texts, batch_texts=batch_texts)
    assert rows == ids(encoder, texts)[0]
    assert len(rows) == len(texts)
    for row in rows:
        assert row[0] == CLS
        assert row[-1] == SEP
        assert not {0, CLS, SEP, 4} & set(row[1:-1])


@pytest.mark.parametrize("content", [None, "{", '{"model": {}}'])
def test_a_missing_or_damaged_tokenizer_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(EnvironmentFault, match=r"tokenizer\.json: not a tokenizer.*[Ff]etch"):
        load_tokenizer(tmp_path, max_length=8)
