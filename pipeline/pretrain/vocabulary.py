"""The tokenizer of a pretraining: learned from the corpus or taken from an encoder, and what masking knows of it."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from pipeline.core.errors import DataError, UsageError
from pipeline.models.tokenizer import load_tokenizer
from pipeline.pretrain.masking import Words

PAD, UNKNOWN, FIRST, LAST, MASK = SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
NAMES = {"pad_token": PAD, "unk_token": UNKNOWN, "cls_token": FIRST, "sep_token": LAST, "mask_token": MASK}
ALPHABET = 1000  # characters that are told apart at most
DIGITS = 6  # of Unigram's log probabilities: the last ones depend on an order of adding
MASKS = (MASK, "<mask>")  # as BERT's and RoBERTa's tokenizers call it


def learned(texts: Callable[[], Iterable[str]], kind: str, *, size: int, lowercase: bool) -> Tokenizer:
    """Return a tokenizer of `size` tokens at most, learned from the texts; same texts, same bytes.

    `kind` is wordpiece (Schuster and Nakajima 2012), bpe (Sennrich et al. 2016; over bytes, so that no character is
    unknown) or unigram (Kudo 2018). `texts` is called twice: the library numbers characters in an order that changes
    from run to run, on which ties depend, unless it is told them before.

    Raises:
        UsageError: The special tokens and the characters of the texts (the 256 bytes, in bpe) are more than `size`.
    """
    cased = normalizers.BertNormalizer(lowercase=lowercase) if kind == "wordpiece" else _plain(lowercase=lowercase)
    counts = Counter(character for text in texts() for character in cased.normalize_str(text))
    known = [character for character in counts if not character.isspace()]
    alphabet = sorted(sorted(known, key=lambda character: (-counts[character], character))[:ALPHABET])
    # A character begins a word or goes on with one; is made of bytes; or is a piece, as is the sign of a blank, and
    # the library's trainer counts its pieces only behind the first longer one.
    single = {"wordpiece": 2 * len(alphabet), "bpe": 256, "unigram": len({*counts, "▁"} - {" "}) + 1}[kind]
    if (least := len(SPECIAL) + single) > size:
        raise UsageError(
            f"`vocabulary` is {size}, and a {kind} tokenizer of these texts has {least} tokens at least; set {least} "
            "or more."
        )
    tokenizer = KINDS[kind](texts(), cased, alphabet, size)
    tokenizer.normalizer = cased
    tokenizer.add_special_tokens(list(SPECIAL))
    ids = {name: tokenizer.token_to_id(name) for name in SPECIAL}
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{FIRST} $A {LAST}",
        pair=f"{FIRST} $A {LAST} $B:1 {LAST}:1",
        special_tokens=[(FIRST, ids[FIRST]), (LAST, ids[LAST])],
    )
    return tokenizer


def _plain(*, lowercase: bool) -> normalizers.Normalizer:
    return normalizers.Sequence([normalizers.NFC(), *([normalizers.Lowercase()] if lowercase else [])])


def _wordpiece(texts: Iterable[str], cased: normalizers.Normalizer, alphabet: Sequence[str], size: int) -> Tokenizer:
    """Return WordPiece; what goes on with a word is told as special tokens, numbered first and then forgotten."""
    inside = [f"##{character}" for character in alphabet]
    trained = Tokenizer(models.WordPiece(unk_token=UNKNOWN))
    trained.normalizer, trained.pre_tokenizer = cased, pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=[*SPECIAL, *inside], initial_alphabet=list(alphabet),
        limit_alphabet=len(alphabet), show_progress=False,
    )  # fmt: skip
    trained.train_from_iterator(texts, trainer)
    tokenizer = Tokenizer(models.WordPiece(trained.get_vocab(with_added_tokens=False), unk_token=UNKNOWN))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
    return tokenizer


def _bpe(
    texts: Iterable[str],
    cased: normalizers.Normalizer,
    alphabet: Sequence[str],  # noqa: ARG001
    size: int,
) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    tokenizer.normalizer = cased
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=True), decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(SPECIAL), initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _unigram(texts: Iterable[str], cased: normalizers.Normalizer, alphabet: Sequence[str], size: int) -> Tokenizer:
    """Return Unigram, its pieces in an order of our own: equally likely ones come in any from the library."""
    trained = Tokenizer(models.Unigram())
    trained.normalizer, trained.pre_tokenizer = cased, pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=size, special_tokens=list(SPECIAL), unk_token=UNKNOWN, initial_alphabet=list(alphabet),
        show_progress=False,
    )  # fmt: skip
    trained.train_from_iterator(texts, trainer)
    pieces = [(token, round(score, DIGITS)) for token, score in json.loads(trained.to_str())["model"]["vocab"]]
    rest = sorted(pieces[len(SPECIAL) :], key=lambda piece: (-piece[1], piece[0]))
    tokenizer = Tokenizer(models.Unigram([*pieces[: len(SPECIAL)], *rest], unk_id=SPECIAL.index(UNKNOWN)))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    return tokenizer


KINDS: dict[str, Callable[[Iterable[str], normalizers.Normalizer, Sequence[str], int], Tokenizer]] = {
    "wordpiece": _wordpiece,
    "bpe": _bpe,
    "unigram": _unigram,
}


def write_tokenizer(tokenizer: Tokenizer, folder: Path, *, max_length: int, types: bool) -> None:
    """Write a learned tokenizer as AutoTokenizer reads it; with `types` it also tells of which text a token is."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    inputs = ["input_ids", *(["token_type_ids"] if types else []), "attention_mask"]
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": max_length,
        "model_input_names": inputs,
        **NAMES,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    (folder / "special_tokens_map.json").write_text(json.dumps(NAMES, indent=1) + "\n", encoding="utf-8")


def words(folder: Path) -> tuple[Words, int, int, dict[str, int]]:
    """Return what masking knows of the tokenizer of a folder, its size, and the ids of first, last and padding token.

    Raises:
        EnvironmentFault: There is no readable tokenizer.json.
        DataError: It has no mask token, or does not put one token before and one behind a text.
    """
    tokenizer = load_tokenizer(folder, max_length=8)
    mask = next((found for name in MASKS if (found := tokenizer.token_to_id(name)) is not None), None)
    around = tokenizer.encode("").ids
    if mask is None or len(around) != 2:
        raise DataError(
            f"{folder / 'tokenizer.json'} is not for pretraining: it needs {' or '.join(MASKS)} (found id {mask}) "
            f"and one token each before and behind a text (found {around}). Take another encoder's, or train one."
        )
    size = tokenizer.get_vocab_size()
    special = np.array(sorted(tokenizer.get_added_tokens_decoder()), np.int64)
    begins = np.zeros(max(size, int(special.max()) + 1), bool)
    begins[list(_beginning(tokenizer))] = True
    ordinary = np.setdiff1d(np.arange(size), special)
    pad = next((found for name in (PAD, "<pad>") if (found := tokenizer.token_to_id(name)) is not None), 0)
    return Words(mask, special, ordinary, begins), size, pad, {"first": around[0], "last": around[1]}


def _beginning(tokenizer: Tokenizer) -> Iterator[int]:
    """Yield the ids of the tokens that begin a word: by the sign before them, or, in WordPiece, by its absence."""
    vocabulary = tokenizer.get_vocab()
    kind = type(tokenizer.model).__name__
    if kind == "WordPiece":
        return (index for token, index in vocabulary.items() if not token.startswith("##"))
    return (index for token, index in vocabulary.items() if token.startswith(("Ġ", "▁")))
