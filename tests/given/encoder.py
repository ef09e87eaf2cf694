"""A tiny pretrained encoder with random weights and a word tokenizer."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel

WORDS = (
    "a", "an", "the", "this", "that", "it", "its", "is", "was", "and", "or", "but", "of", "in", "to", "for", "with",
    "on", "very", "quite", "rather", "so", "not", "never", "always", "film", "movie", "story", "plot", "cast", "actor",
    "scene", "music", "ending", "good", "great", "fine", "lovely", "warm", "clever", "bright", "bad", "poor", "dull",
    "weak", "cold", "silly", "grim", "slow", "fast", "long", "short", "new", "old", "big", "small", "one", "two",
    "three", "ate", "food", "soup", "bread", "rice", "cheese", "game", "ball", "goal", "team", "match", "run", "train",
    "bus", "road", "map", "trip", "hotel", "city", "sea",
)  # fmt: skip


SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def make_encoder(folder: Path, *, width: int = 32, layers: int = 2) -> Path:
    """Write a small BERT with random weights and a word tokenizer as a pretrained folder."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = dict.fromkeys((*SPECIAL, *WORDS, *letters, *(f"##{letter}" for letter in letters)))
    vocabulary = {word: index for index, word in enumerate(words)}
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=width, num_hidden_layers=layers, num_attention_heads=2,
        intermediate_size=2 * width, max_position_embeddings=64, pad_token_id=0,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertModel(config).save_pretrained(folder)
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")  # as many published tokenizers have it
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]"}'
    )
    return folder
