"""Pretraining side by side: a Trainer set up as `run_mlm` does, as it comes and tuned, and ours.

All arms go on with the same encoder, on the same documents, for the same number of updates of as many tokens, each in a
process of its own, in turns, on one machine. `python -m benchmarks.pretrain` runs them after `dvc repro corpus`, and
`python -m benchmarks.pretrain ARM SEED` one of them alone.
"""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoTokenizer, BertForMaskedLM, DataCollatorForLanguageModeling, Trainer, TrainingArguments

from benchmarks.flops import Shape, peak, whole
from benchmarks.table import publish, table
from pipeline.core.files import read_json
from pipeline.models.batches import padded
from pipeline.models.compute import using
from pipeline.models.device import Device, choose, keep_memory
from pipeline.pretrain.batches import MEASURED, Corpus, batch, drawn, lengths
from pipeline.pretrain.families import continued_encoder
from pipeline.pretrain.masking import IGNORED
from pipeline.pretrain.objective import TEXT
from pipeline.settings.pretrain import PretrainParams
from pipeline.stages.pretrain import corpora, prepare
from pipeline.train.choice import for_training
from pipeline.train.training import Training

BASE, DOCUMENTS = Path("data/raw/minilm"), Path("data/corpus.parquet")
SEEDS, STEPS, LENGTH = (0, 1, 2), 12, 128
ABOUT = {
    "a": "Trainer as run_mlm sets it up: blocks of 128 tokens, fp32",
    "b": "the same tuned: bf16 where the device has it, fused AdamW, eager attention",
    "c": "ours",
}


class Run(NamedTuple):
    """What one arm did: seconds for so many tokens that are no padding, and the model that came out."""

    seconds: float
    tokens: int
    model: Any


def params(seed: int) -> PretrainParams:
    """Return the params of the encoder `adapted`, with what all arms share."""
    resolved = read_json(Path("data/params.json"))["pretrain"]["adapted"]
    own = {"pair": "none", "unit": "token", "max_length": LENGTH, "batch_tokens": 32 * LENGTH, "steps": STEPS}
    return PretrainParams.model_validate_json(json.dumps({**resolved, **own, "evaluations": 1, "seed": seed}))


def trainer(train: Corpus, given: PretrainParams, device: Device, *, tuned: bool) -> Run:
    """Train by Trainer on the documents end to end, cut into blocks, as the library's example does."""
    torch.manual_seed(given.seed)
    model = BertForMaskedLM.from_pretrained(
        BASE,
        attn_implementation="eager" if tuned else None,
        hidden_dropout_prob=given.dropout,
        attention_probs_dropout_prob=given.dropout,
    )
    ends = train.layout.sentences[train.layout.documents[1:]]
    text = [np.concatenate(([train.first], part, [train.last])) for part in np.split(train.tokens, ends[:-1])]
    stream = np.concatenate(text)
    blocks = stream[: len(stream) // LENGTH * LENGTH].reshape(-1, LENGTH)
    tokenizer = AutoTokenizer.from_pretrained(BASE)
    with tempfile.TemporaryDirectory() as folder:
        options: dict[str, Any] = {"bf16": device.precision == "bf16", "optim": "adamw_torch_fused"} if tuned else {}
        arguments = TrainingArguments(
            output_dir=folder, max_steps=STEPS, per_device_train_batch_size=32, learning_rate=given.learning_rate,
            warmup_steps=given.warmup, weight_decay=given.weight_decay, seed=given.seed, save_strategy="no",
            report_to=[], disable_tqdm=True, logging_strategy="no", use_cpu=device.device.type == "cpu", **options,
        )  # fmt: skip
        made = Trainer(
            model,
            arguments,
            train_dataset=[{"input_ids": block.tolist()} for block in blocks],
            data_collator=DataCollatorForLanguageModeling(tokenizer, mlm_probability=given.share),
        )
        seconds = made.train().metrics["train_runtime"]
    return Run(seconds, STEPS * 32 * LENGTH, model)


def ours(train: Corpus, held: Corpus, given: PretrainParams) -> Run:
    """Train as the stage does; neither the choice of attention nor the evaluation is counted."""
    keep_memory()
    model = continued_encoder(BASE, given)
    choice = for_training(model, train, given, TEXT)
    device = choose(choice.precision)
    with using(model, choice.attention):
        training = Training(model, train, held, given, device, TEXT)
        training.asked = lambda: True  # leaves the evaluation at the end
        start = time.perf_counter()
        while training.done < STEPS:
            training.advance()
        seconds = time.perf_counter() - start
    sizes = lengths(drawn(train, given, 0))  # so few updates are all of the first epoch
    read = sum(int(sizes[step.rows].sum()) for step in training.steps)
    return Run(seconds, read, model)


def loss(model: Any, held: Corpus, given: PretrainParams, device: Device) -> float:
    """Return the mean loss of hidden words of 256 held-out examples, by the stock model's own forward, in fp32."""
    found = batch(held, given, MEASURED, np.arange(min(256, len(drawn(held, given, MEASURED).labels))))
    total, count = 0.0, 0
    model.eval()
    with torch.inference_mode():
        for rows in np.array_split(np.arange(len(found.pairs)), 8):
            inputs = padded(found.tokens, rows, pad_token_id=0, device=device.device)
            output = model(**inputs)
            logits = output["prediction_logits"] if "prediction_logits" in output else output["logits"]
            for row, place in enumerate(rows):
                own = torch.from_numpy(found.labels[found.tokens.offsets[place] : found.tokens.offsets[place + 1]])
                total += float(cross_entropy(logits[row, : len(own)], own, ignore_index=IGNORED, reduction="sum"))
                count += int((own != IGNORED).sum())
    return total / count


def needed(config: Any, given: PretrainParams, tokens: int) -> float:
    """Return the operations of forward and backward that the tokens need: all layers, and the head of hidden words."""
    shape = Shape(config.hidden_size, config.intermediate_size, config.num_hidden_layers)
    examples = np.full(max(1, tokens // LENGTH), LENGTH)
    head = config.hidden_size**2 + config.hidden_size * config.vocab_size
    return whole(examples, shape) / examples.sum() * tokens + 6 * given.share * head * tokens


def alone(arm: str, seed: int) -> dict[str, Any]:
    """Run one arm in this process and return what it did."""
    device, given = choose("auto"), params(seed)
    fastest = peak(device)
    with tempfile.TemporaryDirectory() as folder:
        prepare(given, DOCUMENTS, BASE, Path(folder), "benchmark")
        train, held, _, _ = corpora(Path(folder), given)
        arms: dict[str, Callable[[], Run]] = {
            "a": lambda: trainer(train, given, device, tuned=False),
            "b": lambda: trainer(train, given, device, tuned=True),
            "c": lambda: ours(train, held, given),
        }
        run = arms[arm]()
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        if device.device.type == "cuda":
            memory = torch.cuda.max_memory_allocated()
        found = loss(run.model, held, given, device)
    made = needed(run.model.config, given, run.tokens)
    return {
        "tokens": run.tokens / run.seconds,
        "share": made / run.seconds / fastest,
        "memory": memory,
        "loss": found,
        "precision": device.precision,
    }


def main() -> None:
    """Run all arms in turns, print the table and write it down."""
    found: dict[str, list[dict[str, Any]]] = {arm: [] for arm in ABOUT}
    for seed in SEEDS:
        for arm in ABOUT:
            command = [sys.executable, "-m", "benchmarks.pretrain", arm, str(seed)]
            answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            found[arm].append(json.loads(answer.splitlines()[-1]))
            print(f"({arm}) seed {seed}: {found[arm][-1]['tokens']:.0f} tokens/s", flush=True)
    median = {
        arm: {name: statistics.median(run[name] for run in runs) for name in ("tokens", "share", "memory", "loss")}
        for arm, runs in found.items()
    }
    best = median["c"]["tokens"]
    rows = [
        (f"({arm}) {ABOUT[arm]}", f"{own['tokens']:,.0f}", f"{own['share']:.0%}", f"{own['memory'] / 1e9:.2f}",
         f"{own['loss']:.3f}", f"{best / own['tokens']:.2f}")
        for arm, own in median.items()
    ]  # fmt: skip
    header = (
        "arm",
        "real tokens/s",
        f"of {found['c'][0]['precision']} peak",
        "memory, GB",
        "held-out loss",
        "ours / it",
    )
    figures = {f"c/{arm}": round(best / own["tokens"], 2) for arm, own in median.items() if arm != "c"}
    figures |= {"mlm_tokens_per_second": round(best), "share_of_peak": round(median["c"]["share"], 3)}
    publish("pretrain", PAGE, table(header, rows), figures, ("torch", "transformers", "numpy"))


PAGE = f"""# Pretraining, side by side

`make bench-pretrain`: all-MiniLM-L6-v2 goes on with masked words for {STEPS} updates of {32 * LENGTH} tokens, seeds 0,
1 and 2; the arms take turns, each in a process of its own, with the same dropout; medians. The share of the peak counts
the operations that the tokens need, with the head of the vocabulary where a word is hidden, for every arm alike, and
holds them against the fastest product of two 2048 x 2048 matrices in the same process, in the precision of ours. The
loss is that of hidden words on the same held-out examples, by the stock model's forward."""


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(alone(sys.argv[1], int(sys.argv[2]))))
    else:
        main()
