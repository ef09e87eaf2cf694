import json
import platform
import resource
import shutil
import subprocess
import sys
from importlib.metadata import version

import numpy as np
import psutil
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode
from transformers import BertConfig, BertForSequenceClassification

from benchmarks import duplicates, finetune, flops, languages, pretrain, replay, turns
from benchmarks import table as tables
from benchmarks.arms import list_inputs
from benchmarks.dvc_output import Line, read_lines, time_stages
from benchmarks.flops import Shape, count_frozen, count_needed, count_whole, measure_peak
from benchmarks.pipeline import add_up, time_first
from pipeline.core.format import markdown_table
from pipeline.models.batches import Ragged
from pipeline.models.device import Device
from pipeline.models.layers import freeze, shorten_last_layer
from pipeline.pretrain.vocabulary import SPECIAL_TOKENS
from tests.given import pretraining
from tests.given.training import with_params

CPU = Device(torch.device("cpu"), "fp32", "a test")
SHAPE = Shape(hidden=32, intermediate=48, layers=3)
CONFIG = BertConfig(
    vocab_size=50, hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4, pad_token_id=0,
    attn_implementation="eager",
)  # fmt: skip


def operations(model: BertForSequenceClassification, examples: int, length: int) -> int:
    """Return what the library counts for the encoder alone, forward and backward."""
    ids = torch.ones(examples, length, dtype=torch.int64)
    with FlopCounterMode(display=False) as counter:
        model(input_ids=ids).logits.sum().backward()
    head = 6 * examples * (32 * 32 + 32 * 2)
    return counter.get_total_flops() - head


@pytest.mark.parametrize(("examples", "length"), [(1, 1), (4, 7), (3, 20)])
def test_the_operations_are_those_that_torch_counts(examples, length):
    counted = count_whole(np.full(examples, length), SHAPE)
    assert counted == operations(BertForSequenceClassification(CONFIG), examples, length)


def test_frozen_embeddings_spare_what_is_not_handed_down():
    model = BertForSequenceClassification(CONFIG)
    freeze(model, embeddings=True, layers=0)
    assert count_frozen(np.full(4, 7), SHAPE) == pytest.approx(operations(model, 4, 7), rel=0.01)


@pytest.mark.parametrize(("examples", "length"), [(1, 1), (4, 7), (3, 20)])
def test_what_is_needed_is_what_is_computed(examples, length):
    model = BertForSequenceClassification(CONFIG)
    freeze(model, embeddings=True, layers=0)
    with shorten_last_layer(model):
        computed = operations(model, examples, length)
    assert count_needed(np.full(examples, length), SHAPE) == pytest.approx(computed, rel=0.01)


@pytest.fixture(autouse=True)
def small_products(monkeypatch):
    """Products of a size that no processor waits for."""
    monkeypatch.setitem(flops.SIZES, "cpu", 64)


class Recorded(TorchDispatchMode):
    """The dtypes of the matrix products made inside the block."""

    def __init__(self):
        super().__init__()
        self.kinds = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten.mm.default:
            self.kinds.append(args[0].dtype)
        return func(*args, **(kwargs or {}))


@pytest.fixture
def case(encoder, monkeypatch):
    """A case with a tiny random encoder, so that every arm really trains."""
    config = BertConfig.from_pretrained(encoder)
    params = with_params(epochs=1, attention="auto", evaluations=1, label_smoothing=0.1, freeze_embeddings=True)
    monkeypatch.setattr(finetune, "ENCODER", encoder)
    monkeypatch.setattr(finetune, "_params", lambda _task, seed: params.model_copy(update={"seed": seed}))
    config.vocab_size, config.max_position_embeddings = 1010, 512
    monkeypatch.setitem(finetune.CASES, "tiny", ("tiny", finetune.random_case(config, count=64, length=6)))
    return "tiny"


@pytest.mark.gpu
def test_trainer_reads_which_text_of_a_pair_a_token_is_of():
    values, types = np.arange(5, dtype=np.int32), np.array([0, 1, 0, 0, 1], dtype=np.int32)
    pairs = Ragged(values, np.array([0, 2, 5]), types)
    assert list(list_inputs(pairs)) == [
        {"input_ids": [0, 1], "token_type_ids": [0, 1]},
        {"input_ids": [2, 3, 4], "token_type_ids": [0, 0, 1]},
    ]
    assert next(list_inputs(pairs._replace(types=None))) == {"input_ids": [0, 1]}


@pytest.mark.parametrize("arm", finetune.ARMS)
def test_every_arm_trains_and_is_measured(case, arm):
    figures = finetune.run_arm(case, arm, 0)
    assert figures["examples"] > 0
    assert figures["tokens"] == pytest.approx(6 * figures["examples"])
    assert 0 < figures["share"] < 1
    assert figures["memory"] > 0
    assert (figures["accuracy"] is None) == (arm in "ab")


@pytest.fixture
def tiny(encoder, tmp_path, monkeypatch):
    """The same for pretraining: a tiny encoder, a corpus of a thousand words, two updates."""
    base = shutil.copytree(encoder, tmp_path / "base")
    (base / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", **SPECIAL_TOKENS})
    )
    monkeypatch.setattr(pretrain, "BASE", base)
    monkeypatch.setattr(pretrain, "DOCUMENTS", pretraining.write_corpus(tmp_path / "corpus.parquet", 60))
    monkeypatch.setattr(pretrain, "STEPS", 2)
    monkeypatch.setattr(pretrain, "LENGTH", 24)
    return pretraining.with_params(
        start="base", tokenizer="base", dropout=0.25, max_length=24, batch_tokens=32 * 24, steps=2, evaluations=1
    )


@pytest.mark.gpu
@pytest.mark.parametrize("arm", pretrain.ABOUT)
def test_every_arm_of_pretraining_runs_and_is_measured(tiny, arm, monkeypatch):
    kept = []
    real = pretrain.measure_loss
    monkeypatch.setattr(pretrain, "arm_params", lambda seed: tiny.model_copy(update={"seed": seed}))
    monkeypatch.setattr(pretrain, "measure_loss", lambda model, *rest: kept.append(model) or real(model, *rest))
    figures = pretrain.run_arm("minilm", arm, 0)
    assert figures["tokens"] > 0
    assert 0 < figures["share"] < 1
    assert figures["memory"] > 0
    assert 0 < figures["loss"] < 10
    (model,) = kept
    assert {module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)} == {0.25}


def test_an_encoder_with_random_weights_is_pretrained_too(tiny, monkeypatch):
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    monkeypatch.setitem(pretrain.ENCODERS, "random", ("random", sizes))
    monkeypatch.setattr(pretrain, "arm_params", lambda seed: tiny.model_copy(update={"seed": seed}))
    kept = []
    real = pretrain.count_operations
    monkeypatch.setattr(pretrain, "count_operations", lambda config, *rest: kept.append(config) or real(config, *rest))
    assert pretrain.run_arm("random", "c", 0)["tokens"] > 0
    (config,) = kept
    assert {name: getattr(config, name) for name in sizes} == sizes


def test_the_table_shows_medians_and_ranges():
    runs = [{"examples": e, "tokens": 2 * e, "share": 0.5, "memory": 1e9, "accuracy": e / 100} for e in (10, 20, 60)]
    slow = [{**run, "examples": 5.0, "accuracy": None} for run in runs]
    text, figures = finetune.summarize({"a": slow, "b": runs, "c": runs, "c+": runs, "d": runs})
    ratios = {"d/a": 4.0, "d/b": 1.0, "d/c": 1.0, "d/c+": 1.0}
    assert figures == {**ratios, "share_of_peak": 0.5}
    assert "| 20.0 | 40 | 50% | 1.00 | 0.300 (0.100 to 0.600) | 1.00 |" in text


def test_the_peak_is_that_of_the_fastest_product(monkeypatch):
    ticks = iter([0.0, 4.0, 10.0, 12.0, 20.0, 23.0])  # three products of 4, 2 and 3 seconds
    monkeypatch.setattr(flops.time, "perf_counter", lambda: next(ticks))
    assert measure_peak(CPU, repeats=3) == 2 * 64**3 / 2.0


@pytest.mark.parametrize(("precision", "kind"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_the_peak_is_that_of_the_precision_that_the_device_computes_in(precision, kind):
    with Recorded() as recorded:
        measure_peak(CPU._replace(precision=precision), repeats=2)
    assert recorded.kinds == [kind, kind]


def test_the_time_of_a_stage_ends_where_dvc_goes_on():
    lines = [
        (1.0, "Running stage 'a':\n"), (1.5, "> x\n"), (3.0, "Running stage 'b@t':\n"), (7.0, "Updating lock file\n"),
        (7.5, "Stage 'c' is cached - skipping run\n"), (8.0, "Running stage 'd':\n"), (8.25, ""),
    ]  # fmt: skip
    assert list(time_stages(lines)) == [
        ("dvc", 1.0), ("a", 2.0), ("b@t", 4.0), ("dvc", 0.5), ("dvc", 0.5), ("d", 0.25)
    ]  # fmt: skip
    assert add_up(time_stages(lines)) == {"dvc": 2.0, "a": 2.0, "b@t": 4.0, "d": 0.25}


def test_lines_carry_the_processor_time_of_the_children_that_have_ended(tmp_path):
    busy = "import time; start = time.process_time()\nwhile time.process_time() < start + 0.3: pass"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}]); print('done', flush=True)"
    first, last = read_lines([sys.executable, "-c", code], tmp_path)
    assert (first.text, last.text) == ("done\n", "")
    assert 0.3 <= first.processor <= last.processor
    with pytest.raises(subprocess.CalledProcessError):
        list(read_lines([sys.executable, "-c", "raise SystemExit(3)"], tmp_path))


def test_the_first_result_is_there_when_its_stage_is_in_the_lock_file():
    texts = ["Running stage 'tokenize@a':\n", "Updating lock file\n", "Running stage 'evaluate@a':\n", "> x\n",
             "Updating lock file\n", "Running stage 'evaluate@b':\n", "Updating lock file\n"]  # fmt: skip
    assert time_first(Line(float(at), at / 2, text) for at, text in enumerate(texts))[:2] == (4.0, 2.0)
    unchanged = [text for text in texts if text.startswith("Running")]  # DVC writes no lock file that stays as it is
    assert time_first(Line(float(at), at / 2, text) for at, text in enumerate(unchanged))[:2] == (2.0, 1.0)


def test_arms_take_turns_in_processes_of_their_own(monkeypatch, tmp_path, capsys):
    (tmp_path / "arms.py").write_text(
        "import json, os, sys; print('x'); print(json.dumps([*sys.argv[1:], os.getpid()]))"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    runs = turns.take_turns("arms", "case", "ab", (0, 1))
    assert {arm: [run[:3] for run in own] for arm, own in runs.items()} == {
        arm: [["case", arm, "0"], ["case", arm, "1"]] for arm in "ab"
    }
    assert len({run[3] for own in runs.values() for run in own}) == 4
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == [
        "case (a) seed 0", "case (b) seed 0", "case (a) seed 1", "case (b) seed 1"
    ]  # fmt: skip


def test_the_memory_is_the_peak_of_this_process_alone():
    peak = turns.read_memory(torch.device("cpu"))
    slack = 2**22  # Linux counts pages in batches
    assert psutil.Process().memory_info().rss <= peak + slack
    assert peak <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + slack


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_memory_of_a_gpu_does_not_count_the_products_of_the_peak(monkeypatch):
    monkeypatch.setitem(flops.SIZES, "cuda", 4096)
    measure_peak(CPU._replace(device=torch.device("cuda")), repeats=2)
    assert turns.read_memory(torch.device("cuda")) < 4096**2


def test_the_last_line_is_one_json_object_and_the_table_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tables, "DOCS", tmp_path)
    shown = markdown_table(("arm", "speed"), [("a", "1.0")])
    tables.publish("x", "# X", shown, {"d/a": 2.0}, ("torch",))
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"d/a": 2.0}
    written = (tmp_path / "x.md").read_text()
    assert "| a | 1.0 |" in written
    assert f"torch {version('torch')}" in written


@pytest.mark.skipif(torch.cuda.is_available(), reason="what is said of a processor; a GPU is here")
@pytest.mark.parametrize(("known", "words"), [({"avx2": True, "sve": True}, " with avx2"), ({"neon": True}, "")])
def test_a_machine_is_described_by_the_instructions_that_are_known_of_it(monkeypatch, known, words):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: known)
    assert tables.describe_machine() == f"{torch.get_num_threads()} cores, {platform.machine()}{words}"


@pytest.mark.parametrize("language", languages.LANGUAGES)
def test_a_sample_has_three_hundred_texts_of_five_topics(language):
    texts, topics = languages.read_sample(language)
    assert len(set(texts)) == len(texts) == 300
    assert len(set(topics.tolist())) == 5
    assert np.bincount(topics).min() > 50


def test_characters_win_in_a_script_without_blanks():
    accuracies, chosen = languages.compare("zh", 3)
    assert chosen["words and characters"] == 3
    assert accuracies[:, 1].mean() > accuracies[:, 0].mean()


@pytest.mark.parametrize("kind", duplicates.KINDS)
def test_made_up_texts_are_searched_as_all_pairs_are(kind):
    run = duplicates.measure(kind, 300)
    assert run["exact"] == "equal"
    assert run["planted"] == "1 of 1"
    assert run["seconds"] > 0


SPACE = {"learning_rate": {"low": 0, "high": 7}, "batch_size": {"low": 0, "high": 5}}


def curve_of(values):
    """Return a training that is as good at each evaluation as it will be in the end."""
    score = 0.9 - 0.05 * abs(values["learning_rate"] - 4) - 0.01 * values["batch_size"]
    return replay.Curve((score, score, score), (1.0, 2.0, 4.0))


@pytest.mark.parametrize(("share", "seconds"), [(None, 16 * 4), (0.5, 4 * (2 * 1 + 2 + 4))])
def test_a_replayed_search_counts_what_its_trials_took_until_they_were_dropped(share, seconds):
    found = replay.replay_search(SPACE, curve_of, 4, 4, seed=0, share=share)
    assert found.seconds == seconds
    assert found.best > 0.8


def test_a_trial_is_dropped_by_its_score_at_the_rung_and_not_by_a_later_one():
    scores = [(0.1, 0.9), (0.5, 0.8), (0.6, 0.7), (0.2, 0.2)]
    curves = {slot: replay.Curve(score, (1.0, 2.0)) for slot, score in enumerate(scores)}
    assert replay.drop_trials(curves, (0, 1, 2, 3), 0.5, (0, 1)) == {0: 0, 1: None, 2: 1, 3: 0}
    assert replay.drop_trials({2: curves[2]}, (0, 1, 2, 3), 0.5, (0,))[2] is None
