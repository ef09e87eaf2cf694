import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import AutoTokenizer

from pipeline.core.errors import EnvironmentFault, UsageError
from pipeline.core.files import read_json, write_json
from pipeline.examples.text import CONTROLS, normalise
from pipeline.models.tokenizer import CHARS_PER_TOKEN, encode, load_tokenizer, require_separator, save_tokenizer

CLS, SEP = 2, 3


def ids(encoder, texts, *, max_length=12, batch_texts=100):
    whole = pa.record_batch({"text": pa.array(texts, pa.string())})
    batches = (whole.slice(start, batch_texts) for start in range(0, len(texts), batch_texts))
    tokenizer = load_tokenizer(encoder, max_length=max_length)
    encoded = [encode(tokenizer, batch, max_length=max_length) for batch in batches]
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


@given(st.lists(st.tuples(*[st.text(alphabet="ab [SEP]", max_size=30)] * 2), max_size=9), st.integers(4, 20))
def test_pairs_are_the_stock_tokenizers_with_their_types(encoder, pairs, max_length):
    firsts, seconds = ([pair[side] for pair in pairs] for side in (0, 1))
    batch = pa.record_batch({"text": pa.array(firsts, pa.string()), "text_pair": pa.array(seconds, pa.string())})
    kept, rows, cut = encode(load_tokenizer(encoder, max_length=max_length), batch, max_length=max_length)
    plain = AutoTokenizer.from_pretrained(encoder, split_special_tokens=True)
    how = {"truncation": "longest_first", "max_length": max_length, "return_token_type_ids": True}
    stock = plain(firsts, seconds, **how) if pairs else {}
    assert rows.to_pylist() == stock.get("input_ids", [])
    assert kept["token_type_ids"].to_pylist() == stock.get("token_type_ids", [])
    whole = plain(firsts, seconds)["input_ids"] if pairs else []
    assert cut.to_pylist() == [len(row) > max_length for row in whole]


def test_what_is_cut_of_a_pair_is_the_end_of_the_longer_text(encoder):
    long = "a " * 12 * CHARS_PER_TOKEN
    batch = pa.record_batch({"text": ["a a", long, "a a a a a a"], "text_pair": [long, "a", "a a a a a a"]})
    kept, rows, cut = encode(load_tokenizer(encoder, max_length=12), batch, max_length=12)
    counts = [(types.count(0) - 2, types.count(1) - 1) for types in kept["token_type_ids"].to_pylist()]
    assert counts == [(2, 7), (8, 1), (4, 5)]
    assert cut.to_pylist() == [True, True, True]
    assert {len(row) for row in rows.to_pylist()} == {12}


def test_a_tokenizer_that_runs_texts_together_is_refused(encoder):
    tokenizer = load_tokenizer(encoder, max_length=12)
    require_separator(tokenizer, encoder)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A", pair="[CLS] $A $B:1", special_tokens=[("[CLS]", 2)]
    )
    with pytest.raises(UsageError, match="between two texts"):
        require_separator(tokenizer, encoder)


@pytest.mark.parametrize("content", [None, "{", '{"model": {}}'])
def test_a_missing_or_damaged_tokenizer_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(EnvironmentFault, match=r"tokenizer\.json: not a tokenizer.*[Ff]etch"):
        load_tokenizer(tmp_path, max_length=8)


def make_bytes_encoder(folder: Path) -> Path:
    """Write a tokenizer over bytes as ModernBERT's: a leading blank is part of a token, runs of blanks are tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {
        token: at for at, token in enumerate(["<pad>", "<s>", "</s>", "<unk>", "<mask>", *alphabet, "Ġa", "ab"])
    }
    tokenizer = Tokenizer(models.BPE(vocabulary, [("Ġ", "a"), ("a", "b")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<pad>", "<s>", "</s>", "<unk>", "<mask>"])
    tokenizer.add_tokens(["  ", "    "])
    tokenizer.save(str(folder / "tokenizer.json"))
    write_json(folder / "config.json", {"model_type": "roberta", "pad_token_id": 0})
    return folder


def make_pieces_encoder(folder: Path) -> Path:
    """Write a tokenizer as sentencepiece's: blanks are marks, and one is put before the text."""
    letters = "▁abcdeé😀"
    pieces = [("<pad>", 0.0), ("<unk>", 0.0), ("</s>", 0.0), ("▁a", -1.0), *((letter, -3.0) for letter in letters)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=1))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 2)])
    tokenizer.add_special_tokens(["<pad>", "<unk>", "</s>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    write_json(folder / "tokenizer_config.json", {"tokenizer_class": "T5Tokenizer", "pad_token": "<pad>"})
    return folder


def make_stock_class_encoder(folder: Path, encoder: Path) -> Path:
    """Write the words' tokenizer under the class of its family, which builds its normaliser itself."""
    shutil.copyfile(encoder / "tokenizer.json", folder / "tokenizer.json")
    write_json(folder / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "add_bos_token": True})
    write_json(folder / "special_tokens_map.json", {"mask_token": {"content": "[MASK]", "lstrip": True}})
    return folder


KINDS = ("words", "words under the stock class", "bytes", "pieces")


@pytest.fixture(scope="module")
def saved(encoder, tmp_path_factory):
    """Return of each kind of tokenizer: as training loads it, as saved, as the stock library opens what is saved."""
    folders = {kind: tmp_path_factory.mktemp("encoder") for kind in KINDS}
    makers = (
        lambda _: encoder,
        lambda folder: make_stock_class_encoder(folder, encoder),
        make_bytes_encoder,
        make_pieces_encoder,
    )
    tokenizers = {}
    for kind, make in zip(KINDS, makers, strict=True):
        source, folder = make(folders[kind]), tmp_path_factory.mktemp("saved")
        save_tokenizer(source, folder, max_length=12)
        trained, plain = (load_tokenizer(path, max_length=12) for path in (source, folder))
        tokenizers[kind] = trained, plain, AutoTokenizer.from_pretrained(folder)
    return tokenizers


def require_the_ids_of_training(saved, text):
    for kind, (trained, plain, stock) in saved.items():
        ids = trained.encode(normalise(text)).ids
        assert plain.encode(text).ids == ids, kind
        assert plain.encode(normalise(text)).ids == ids, kind
        assert stock(text, truncation=True)["input_ids"] == ids, kind


# Letters, what `normalise` touches, and what it must not: beyond these planes Python and Rust may know another Unicode.
ODD = "\u2028\u2029\u00a0\u3000\u200c\u200d\u0301\u0327\u0345e\u0301\u212b\u1e9b\U0001f469 \t\n[]<>/▁Ġ😀"
RAW = st.text(
    st.one_of(
        st.sampled_from("ab e" + ODD),
        st.sampled_from([chr(at) for at in range(0x10000) if CONTROLS.match(chr(at))]),
        st.characters(max_codepoint=0xFFFF, exclude_categories=("Cs", "Cn")),
    ),
    max_size=40,
)


@given(RAW.filter(normalise))
def test_raw_text_gets_the_ids_of_training(saved, text):
    require_the_ids_of_training(saved, text)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff a good film",
        "\u202ea good\u202c film\u200b",
        "a\x00good\x1ffilm\x85",
        "cafe\u0301 e\u0327\u0301 \u1100\u1161",
        "\u0301a",
        "[MASK] [SEP] <mask> </s> <pad>",
        "👩\u200d👩\u200d👧 می\u200cخواهم",
        "a  b    c",
        "a b " * 5_000,
        " " * 100_000 + "a" + " " * 100_000 + "b",
    ],
)
def test_hostile_text_gets_the_ids_of_training(saved, text):
    require_the_ids_of_training(saved, text)


def test_every_character_is_brought_to_the_normal_form(saved):
    _, plain, _ = saved["bytes"]
    for at in (*range(0xD800), *range(0xE000, 0x30000)):
        for text in (f"{chr(at)}b", f"b{chr(at)}b", f"b{chr(at)}"):
            assert plain.normalizer.normalize_str(text) == normalise(text), hex(at)


@pytest.mark.parametrize("kind", KINDS)
def test_the_stock_library_pads_as_the_model_does(saved, kind):
    trained, _, stock = saved[kind]
    padded = stock(["a", "a b a b"], padding=True)
    assert set(padded) == {"input_ids", "attention_mask"}
    assert padded["input_ids"][0][-1] == trained.token_to_id(stock.pad_token) == 0
    assert len({len(row) for row in padded["input_ids"]}) == 1


def test_a_saved_tokenizer_is_two_files(encoder, tmp_path):
    source = make_stock_class_encoder(tmp_path, encoder)
    (tmp_path / "out").mkdir()
    save_tokenizer(source, tmp_path / "out", max_length=9)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"tokenizer.json", "tokenizer_config.json"}
    settings = read_json(tmp_path / "out" / "tokenizer_config.json")
    assert settings["mask_token"] == "[MASK]"
    assert "add_bos_token" not in settings
