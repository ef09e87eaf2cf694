import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import DataError
from pipeline.models.coverage import Coverage, find_unknown, measure_coverage, require_coverage
from pipeline.models.tokenizer import encode, load_tokenizer
from tests.given.pretraining import make_tokenizer

LENGTH = 12


def measure(tokenizer, texts: list[str]) -> Coverage:
    batch = pa.record_batch(
        [[f"id{place}" for place in range(len(texts))], pa.array(texts, pa.string())], ["id", "text"]
    )
    _, ids, cut = encode(tokenizer, batch, max_length=LENGTH)
    return measure_coverage(tokenizer, batch, ids, cut, unknown=find_unknown(tokenizer), max_length=LENGTH)


def test_characters_under_unknown_tokens_are_lost(encoder):
    tokenizer = load_tokenizer(encoder, max_length=LENGTH)
    found = measure(tokenizer, ["a good film", "喜欢 a film", "ดีมาก", ""])
    assert found == Coverage(tokens=3 + 4 + 1, unknown=3, characters=9 + 7 + 5, lost=7, ids=("id1", "id2"))
    assert found.share == 7 / 21
    assert "33.33% of the characters and 37.50% of the tokens" in found.describe()


def test_what_is_cut_off_counts_as_nothing(encoder):
    tokenizer = load_tokenizer(encoder, max_length=LENGTH)
    found = measure(tokenizer, ["good " * 10 + "欢 " * 10, "欢" + "good " * 5000])
    assert found == Coverage(tokens=20, unknown=1, characters=40 + 1 + 36, lost=1, ids=("id1",))


@given(st.lists(st.text(alphabet="ab 喜é", max_size=20), min_size=1, max_size=6))
def test_batches_add_up(encoder, texts):
    tokenizer = load_tokenizer(encoder, max_length=LENGTH)
    whole = measure(tokenizer, texts)
    parts = Coverage()
    for text in texts:
        parts = parts.add(measure(tokenizer, [text]))
    assert parts[:4] == whole[:4]
    assert 0 <= whole.lost <= whole.characters
    assert 0 <= whole.unknown <= whole.tokens


@pytest.mark.parametrize("kind", ["wordpiece", "unigram", "bpe"])
def test_every_kind_of_tokenizer_says_what_it_does_not_know(kind):
    tokenizer = make_tokenizer(kind, ["good films are good", "bad films are bad"], size=60)
    unknown = find_unknown(tokenizer)
    tokenizer.encode_special_tokens = True
    if unknown is None:  # it spells with bytes, or has none
        assert kind != "wordpiece"
    else:
        assert tokenizer.id_to_token(unknown) in ("[UNK]", "<unk>")


def test_too_many_lost_characters_are_refused():
    require_coverage(Coverage(10, 1, 100, 5, ("x",)), task="t", most=0.05)
    with pytest.raises(DataError, match=r"t: at most 5\.00% .* 6\.00% .* 10\.00% .*'x'.*`tokenize\.max_unknown_share`"):
        require_coverage(Coverage(10, 1, 100, 6, ("x",)), task="t", most=0.05)
    require_coverage(Coverage(), task="t", most=0.0)
