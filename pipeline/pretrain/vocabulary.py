"""The WordPiece tokenizer of a pretraining, and the vocabulary of any tokenizer as masking sees it."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from pipeline.core.errors import DataError, UsageError
from pipeline.models.batching import Indices
from pipeline.models.tokenizer import load_tokenizer

PAD, UNKNOWN, FIRST, LAST, MASK = SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
SPECIAL_TOKENS = {"pad_token": PAD, "unk_token": UNKNOWN, "cls_token": FIRST, "sep_token": LAST, "mask_token": MASK}
ALPHABET_SIZE = 1000  # the most frequent characters get tokens of their own; the others are unknown
# The names of BERT's and of RoBERTa's tokenizers.
MASK_NAMES, PAD_NAMES = (MASK, "<mask>"), (PAD, "<pad>")


class Vocabulary(NamedTuple):
    """A tokenizer's V tokens, as masking sees them.

    `mask`, `pad`, `first` and `last` are ids; `special` and `ordinary` the ids of all special and of all other tokens;
    `begins` (V,) is true if a token begins a word.
    """

    mask: int
    pad: int
    first: int
    last: int
    special: Indices
    ordinary: Indices
    begins: np.ndarray[tuple[int], np.dtype[np.bool_]]


def learn_tokenizer(texts: Callable[[], Iterable[str]], *, size: int, lowercase: bool) -> Tokenizer:
    """Return a WordPiece tokenizer of at most `size` tokens, learned from the texts; equal texts give equal bytes.

    `texts` is called twice. The library numbers characters in an order that changes from run to run, and ties between
    pieces depend on it, so it is given the characters in advance.

    Raises:
        UsageError: The special tokens and the characters of the texts need more than `size` tokens.

    Source: Schuster and Nakajima 2012, Japanese and Korean Voice Search.
    """
    normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    alphabet = _count_alphabet(texts(), normalizer)
    least = len(SPECIAL) + 2 * len(alphabet)  # each character begins a word or continues one
    if least > size:
        raise UsageError(
            f"pretrain: `vocabulary` is too small: these texts need {least} tokens, found {size}. Set {least} or more."
        )
    tokenizer = _train_wordpiece(texts(), normalizer, alphabet, size)
    tokenizer.add_special_tokens(list(SPECIAL))
    ids = {name: tokenizer.token_to_id(name) for name in SPECIAL}
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{FIRST} $A {LAST}",
        pair=f"{FIRST} $A {LAST} $B:1 {LAST}:1",
        special_tokens=[(FIRST, ids[FIRST]), (LAST, ids[LAST])],
    )
    return tokenizer


def _count_alphabet(texts: Iterable[str], normalizer: normalizers.Normalizer) -> list[str]:
    """Return the most frequent characters of the normalised texts, sorted."""
    counts = Counter(character for text in texts for character in normalizer.normalize_str(text))
    characters = [character for character in counts if not character.isspace()]
    return sorted(sorted(characters, key=lambda character: (-counts[character], character))[:ALPHABET_SIZE])


def _train_wordpiece(
    texts: Iterable[str], normalizer: normalizers.Normalizer, alphabet: list[str], size: int
) -> Tokenizer:
    """Return a trained WordPiece model with its normalizer.

    The characters inside words are passed as special tokens, which the library numbers first and in order; the model is
    then built again without these.
    """
    inside = [f"##{character}" for character in alphabet]
    trained = Tokenizer(models.WordPiece(unk_token=UNKNOWN))
    trained.normalizer, trained.pre_tokenizer = normalizer, pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=[*SPECIAL, *inside], initial_alphabet=alphabet,
        limit_alphabet=len(alphabet), show_progress=False,
    )  # fmt: skip
    trained.train_from_iterator(texts, trainer)
    tokenizer = Tokenizer(models.WordPiece(trained.get_vocab(with_added_tokens=False), unk_token=UNKNOWN))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
    return tokenizer


def write_tokenizer(tokenizer: Tokenizer, folder: Path, *, max_length: int, types: bool) -> None:
    """Write a learned tokenizer for AutoTokenizer; with `types` it also returns which text of a pair a token is of."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": max_length,
        "model_input_names": ["input_ids", *(["token_type_ids"] if types else []), "attention_mask"],
        **SPECIAL_TOKENS,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    (folder / "special_tokens_map.json").write_text(json.dumps(SPECIAL_TOKENS, indent=1) + "\n", encoding="utf-8")


def read_vocabulary(folder: Path) -> Vocabulary:
    """Return the vocabulary of the tokenizer in a folder; `pad` is 0 if it has no padding token.

    Raises:
        EnvironmentFault: There is no readable tokenizer.json.
        DataError: It has no mask token, or does not put one token before and one after a text.
    """
    tokenizer = load_tokenizer(folder, max_length=8)
    mask, pad = (_first_id(tokenizer, names) for names in (MASK_NAMES, PAD_NAMES))
    around = tokenizer.encode("").ids
    if mask is None or len(around) != 2:
        raise DataError(
            f"{folder / 'tokenizer.json'}: not a tokenizer for pretraining: it needs {' or '.join(MASK_NAMES)}, found "
            f"id {mask}, and one token each before and after a text, found {around}. Take another encoder's, or set "
            "`tokenizer: wordpiece`."
        )
    ids = np.array([*tokenizer.get_vocab().values()], np.int64)  # not always without gaps
    special = np.array(sorted(tokenizer.get_added_tokens_decoder()), np.int64)
    begins = np.zeros(int(ids.max()) + 1, bool)
    begins[list(_list_beginnings(tokenizer))] = True
    ordinary = np.setdiff1d(ids, special)
    return Vocabulary(mask, pad or 0, around[0], around[1], special, ordinary, begins)


def _first_id(tokenizer: Tokenizer, names: Iterable[str]) -> int | None:
    ids = (tokenizer.token_to_id(name) for name in names)
    return next((index for index in ids if index is not None), None)


def _list_beginnings(tokenizer: Tokenizer) -> Iterator[int]:
    """Yield the ids of the tokens that begin a word: those with the sign of a blank or, in WordPiece, without `##`."""
    vocabulary = tokenizer.get_vocab()
    if type(tokenizer.model).__name__ == "WordPiece":
        return (index for token, index in vocabulary.items() if not token.startswith("##"))
    return (index for token, index in vocabulary.items() if token.startswith(("Ġ", "▁")))
