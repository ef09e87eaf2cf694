"""Tokenizers learned from text, and what masking has to know of any."""

import numpy as np
import pytest
from transformers import AutoTokenizer

from pipeline.core.errors import DataError, UsageError
from pipeline.pretrain.vocabulary import KINDS, learned, words, write_tokenizer
from tests.given.encoder import make_encoder

TEXTS = ["the plot was never dull and the ending lovely", "a Caf\u00e9 in the city", "unbelievable, unbearable!"] * 20


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_texts_give_the_same_bytes_and_a_tokenizer_the_library_opens(kind, tmp_path):
    found = [learned(lambda: TEXTS, kind, size=300, lowercase=True) for _ in range(2)]
    assert found[0].to_str() == found[1].to_str()
    assert found[0].get_vocab_size() <= 300
    write_tokenizer(found[0], tmp_path, max_length=24, types=True)
    opened = AutoTokenizer.from_pretrained(tmp_path)
    ids = opened("The plot", "was dull")
    assert opened.convert_ids_to_tokens([ids["input_ids"][0], ids["input_ids"][-1]]) == ["[CLS]", "[SEP]"]
    assert set(ids["token_type_ids"]) == {0, 1}
    assert opened.model_max_length == 24
    assert (
        opened.decode(opened("the ending lovely")["input_ids"], skip_special_tokens=True).strip() == "the ending lovely"
    )
    assert opened.mask_token_id == found[0].token_to_id("[MASK]")


@pytest.mark.parametrize(("kind", "least"), [("wordpiece", 51), ("bpe", 261), ("unigram", 33)])
def test_a_vocabulary_too_small_for_the_texts_is_refused_with_the_least_size(kind, least):
    texts = [*TEXTS, "a\u00a0hard\tspace, 7"]
    for size in (10, least - 1):
        message = rf"`vocabulary` is {size}, and a {kind} .* has {least} tokens at least; set {least} or more"
        with pytest.raises(UsageError, match=message):
            learned(lambda: texts, kind, size=size, lowercase=True)
    assert learned(lambda: texts, kind, size=least, lowercase=True).get_vocab_size() == least


@pytest.mark.parametrize("kind", KINDS)
def test_words_begin_where_they_do(kind, tmp_path):
    write_tokenizer(learned(lambda: TEXTS, kind, size=280, lowercase=True), tmp_path, max_length=24, types=True)
    known, size, pad, around = words(tmp_path)
    opened = AutoTokenizer.from_pretrained(tmp_path)
    ids = opened("the unbelievable plot", add_special_tokens=False)["input_ids"]
    assert int(known.begins[ids].sum()) == 3
    assert size == len(opened)
    assert known.mask == opened.mask_token_id
    assert (pad, around) == (opened.pad_token_id, {"first": opened.cls_token_id, "last": opened.sep_token_id})
    assert set(known.special) == set(opened.all_special_ids)
    assert not np.isin(known.ordinary, known.special).any()


def test_case_is_kept_where_it_is_wanted():
    kept, dropped = (learned(lambda: TEXTS, "wordpiece", size=300, lowercase=low).get_vocab() for low in (False, True))
    assert "C" in kept
    assert "C" not in dropped


def test_an_encoders_own_tokenizer_may_lack_what_pretraining_needs(tmp_path):
    known, _, _, _ = words(make_encoder(tmp_path))
    assert known.mask == 4
    made = learned(lambda: TEXTS, "wordpiece", size=100, lowercase=True)
    made.post_processor = None
    write_tokenizer(made, tmp_path, max_length=8, types=False)
    with pytest.raises(DataError, match=r"one token each before and behind a text \(found \[\]\)"):
        words(tmp_path)
