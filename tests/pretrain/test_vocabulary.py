"""Tokenizers learned from text, and the vocabulary of any tokenizer."""

import json

import numpy as np
import pytest
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from pipeline.core.errors import DataError, UsageError
from pipeline.pretrain.vocabulary import learn_tokenizer, read_vocabulary, write_tokenizer
from tests.given.encoder import make_encoder
from tests.given.pretraining import TOKENIZERS, make_tokenizer

TEXTS = ["the plot was never dull and the ending lovely", "a Caf\u00e9 in the city", "unbelievable, unbearable!"] * 20


def test_the_same_texts_give_the_same_bytes_and_a_tokenizer_the_library_opens(tmp_path):
    tokenizer, again = (learn_tokenizer(lambda: TEXTS, size=300, lowercase=True) for _ in range(2))
    assert tokenizer.to_str() == again.to_str()
    assert tokenizer.get_vocab_size() <= 300
    write_tokenizer(tokenizer, tmp_path, max_length=24, types=True)
    opened = AutoTokenizer.from_pretrained(tmp_path)
    ids = opened("The plot", "was dull")
    assert opened.convert_ids_to_tokens([ids["input_ids"][0], ids["input_ids"][-1]]) == ["[CLS]", "[SEP]"]
    assert set(ids["token_type_ids"]) == {0, 1}
    assert opened.model_max_length == 24
    assert opened.decode(opened("the ending lovely")["input_ids"], skip_special_tokens=True) == "the ending lovely"
    assert opened.mask_token_id == tokenizer.token_to_id("[MASK]")


def test_a_vocabulary_too_small_for_the_texts_is_refused_with_the_least_size():
    texts, least = [*TEXTS, "a\u00a0hard\tspace, 7"], 51
    for size in (10, least - 1):
        with pytest.raises(UsageError, match=rf"`vocabulary`.* {least} tokens, found {size}\. Set {least}"):
            learn_tokenizer(lambda: texts, size=size, lowercase=True)
    assert learn_tokenizer(lambda: texts, size=least, lowercase=True).get_vocab_size() == least


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_words_begin_where_they_do(kind, tmp_path):
    write_tokenizer(make_tokenizer(kind, TEXTS, size=280), tmp_path, max_length=24, types=True)
    vocabulary = read_vocabulary(tmp_path)
    opened = AutoTokenizer.from_pretrained(tmp_path)
    ids = opened("the unbelievable plot", add_special_tokens=False)["input_ids"]
    assert int(vocabulary.begins[ids].sum()) == 3
    assert len(vocabulary.begins) == len(opened)
    assert vocabulary.mask == opened.mask_token_id
    assert vocabulary.pad == opened.pad_token_id
    assert (vocabulary.first, vocabulary.last) == (opened.cls_token_id, opened.sep_token_id)
    assert set(vocabulary.special) == set(opened.all_special_ids)
    assert not np.isin(vocabulary.ordinary, vocabulary.special).any()


def test_a_tokenizer_may_leave_ids_out(tmp_path):
    tokenizer = make_tokenizer("wordpiece", TEXTS, size=100)
    content = json.loads(tokenizer.to_str())
    words = content["model"]["vocab"]
    moved = words["the"] = len(words) + 7
    write_tokenizer(Tokenizer.from_str(json.dumps(content)), tmp_path, max_length=24, types=True)
    vocabulary = read_vocabulary(tmp_path)
    assert len(vocabulary.begins) == moved + 1
    assert vocabulary.begins[moved]
    assert set(vocabulary.ordinary) == {*words.values()} - {*vocabulary.special}


def test_case_is_kept_where_it_is_wanted():
    kept, dropped = (learn_tokenizer(lambda: TEXTS, size=300, lowercase=low).get_vocab() for low in (False, True))
    assert "C" in kept
    assert "C" not in dropped


def test_an_encoders_own_tokenizer_may_lack_what_pretraining_needs(tmp_path):
    assert read_vocabulary(make_encoder(tmp_path)).mask == 4
    learned = learn_tokenizer(lambda: TEXTS, size=100, lowercase=True)
    learned.post_processor = None
    write_tokenizer(learned, tmp_path, max_length=8, types=False)
    with pytest.raises(DataError, match=r"tokenizer\.json.* found id 4.* before and after a text, found \[\]"):
        read_vocabulary(tmp_path)
