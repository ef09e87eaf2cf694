"""What several tests need: a tiny real encoder, and processes that start in no time."""

import gc
import multiprocessing
import signal
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel

# A slow machine is no failure; property tests that want more examples say so.
settings.register_profile("transferline", deadline=None, max_examples=60)
settings.load_profile("transferline")

# A shell that starts the tests in the background has switched Ctrl-C off, for them and for all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
torch.set_num_threads(1)  # tiny models: threads cost more than they bring

# What takes longest begins first, so that no worker is left with it when the others are done.
LONG = (
    "test_pipeline.py", "test_workflows.py", "test_flow.py", "test_service.py", "test_resume.py", "test_parallel.py",
    "test_repository.py", "test_diff.py", "test_pretrain.py", "test_workspace.py", "test_stack.py", "test_paired.py",
)  # fmt: skip

WORDS = (
    "a", "an", "the", "this", "that", "it", "its", "is", "was", "and", "or", "but", "of", "in", "to", "for", "with",
    "on", "very", "quite", "rather", "so", "not", "never", "always", "film", "movie", "story", "plot", "cast", "actor",
    "scene", "music", "ending", "good", "great", "fine", "lovely", "warm", "clever", "bright", "bad", "poor", "dull",
    "weak", "cold", "silly", "grim", "slow", "fast", "long", "short", "new", "old", "big", "small", "one", "two",
    "three", "ate", "food", "soup", "bread", "rice", "cheese", "game", "ball", "goal", "team", "match", "run", "train",
    "bus", "road", "map", "trip", "hotel", "city", "sea",
)  # fmt: skip
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long files first."""
    places = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


def pytest_collection_finish() -> None:
    """Spare the garbage collector what was imported: statsmodels calls it at every turn."""
    gc.collect()
    gc.freeze()


def make_encoder(folder: Path, *, width: int = 32, layers: int = 2) -> Path:
    """Write a small BERT with random weights and a word tokenizer as a pretrained folder."""
    vocabulary = {
        word: index
        for index, word in enumerate(
            (*SPECIAL, *WORDS, *"abcdefghijklmnopqrstuvwxyz", *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz"))
        )
    }
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
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")  # as many published tokenizers have it
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]"}'
    )
    return folder


@pytest.fixture(scope="session")
def forks() -> ForkServerContext:
    """Processes forked from one that has imported everything, so that each starts in no time."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["tests.test_resume", "tests.test_parallel", "pandas"]  # which pyarrow imports when it meets a list
    )
    return context


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_encoder(tmp_path_factory.mktemp("encoder"))
