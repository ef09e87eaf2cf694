"""The stage: a corpus in, an encoder out that the library opens and fine-tuning takes; and what it refuses."""

import json
import os
import signal
import subprocess
import sys
from contextlib import redirect_stdout
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest
import torch
from transformers import AutoModel, AutoModelForMaskedLM, AutoTokenizer

from pipeline.core.errors import DataError, Stopped, UsageError
from pipeline.models.folder import build_classifier
from pipeline.settings.pretrain import PretrainParams
from pipeline.stages.pretrain import run
from tests.given.encoder import make_encoder
from tests.given.pretraining import FAMILIES, with_params, write_corpus
from tests.given.projects import PATIENCE, ROOT, until


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("inputs")
    return {"documents": write_corpus(folder / "corpus.parquet"), "base": make_encoder(folder / "tiny")}


def pretrain(inputs: dict[str, Path], folder: Path, **changes: object) -> dict:
    run(with_params(**changes), **inputs, encoder=folder / "encoder", history=folder / "history.json")
    return json.loads((folder / "history.json").read_text())


@pytest.mark.parametrize("family", FAMILIES)
def test_the_folder_is_an_encoder_for_the_library_and_for_fine_tuning(inputs, tmp_path, family):
    history = pretrain(inputs, tmp_path, family=family)
    folder = tmp_path / "encoder"
    tokens = AutoTokenizer.from_pretrained(folder)("alpha beta [MASK]", return_tensors="pt")
    tokens.pop("token_type_ids", None)
    model, loading = AutoModel.from_pretrained(folder, output_loading_info=True)
    assert not [name for name in loading["missing_keys"] if "pooler" not in name]
    assert torch.isfinite(model(**tokens).last_hidden_state).all()
    if family != "albert":  # its layers share their weights, which fine-tuning does not take apart
        build_classifier(folder, ["a", "b"], dropout=0.0, seed=0)
    assert [row["step"] for row in history["evaluations"]] == [3, 6]
    assert history["documents"] == {"train": 32, "held_out": 8}
    assert history["best"]["perplexity"] > 1
    assert not (tmp_path / "encoder.checkpoints").exists()
    card = " ".join((folder / "README.md").read_text().split())
    assert "by chance" in card
    assert "in fp32 on cpu, for 6 of 6 steps, and ended after all steps" in card
    assert "pipeline_tag: fill-mask" in card


def train(values: str, documents: str, base: str, folder: str) -> None:
    """Be a process that pretrains and logs to `folder/log`; exit as the command does if it is stopped."""
    torch.set_num_threads(1)
    work = Path(folder)
    work.mkdir(exist_ok=True)
    files = {"documents": Path(documents), "base": Path(base), "encoder": work / "encoder", "history": work / "history"}
    with (work / "log").open("w", buffering=1) as stream, redirect_stdout(stream):
        try:
            run(PretrainParams.model_validate_json(values), **files)
        except Stopped as error:
            sys.exit(error.exit_code)


def test_the_same_bytes_come_again_and_a_killed_one_ends_with_them(forks, inputs, tmp_path):
    """SIGTERM in the midst: the process goes on from its checkpoint and ends with the bytes of one left alone.

    The one left alone has an interpreter of its own, and so another order of what is kept in sets.
    """
    params = with_params(pair="nsp", dropout=0.1, steps=60, evaluations=6)
    words = [params.model_dump_json(), *map(str, inputs.values())]
    code = "import sys; from tests.stages.test_pretrain import train; train(*sys.argv[1:])"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "1"}

    def forked() -> ForkServerProcess:
        process = forks.Process(target=train, args=[*words, str(tmp_path / "b")])
        process.start()
        return process

    log = tmp_path / "b" / "log"
    with subprocess.Popen([sys.executable, "-c", code, *words, str(tmp_path / "a")], env=environment) as whole:
        cut = forked()
        until(lambda: log.exists() and "\nstep 10/" in log.read_text())
        os.kill(cut.pid, signal.SIGTERM)
        cut.join(PATIENCE)
        assert cut.exitcode == Stopped.exit_code
        again = forked()
        again.join(PATIENCE)
        assert again.exitcode == 0
        assert "resuming after step" in log.read_text()
        assert whole.wait(PATIENCE) == 0
    for name in ("encoder/model.safetensors", "encoder/tokenizer.json", "history"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_a_base_goes_on_with_its_own_words(inputs, tmp_path):
    history = pretrain(inputs, tmp_path, start="base", tokenizer="base", vocabulary=32)
    assert (tmp_path / "encoder/tokenizer.json").read_bytes() == (inputs["base"] / "tokenizer.json").read_bytes()
    before, after = (AutoModel.from_pretrained(folder) for folder in (inputs["base"], tmp_path / "encoder"))
    assert before.config.hidden_size == after.config.hidden_size == 32
    assert not torch.equal(before.get_input_embeddings().weight, after.get_input_embeddings().weight)
    assert history["vocabulary"] == before.config.vocab_size
    AutoModelForMaskedLM.from_pretrained(tmp_path / "encoder")


def test_what_does_not_fit_is_refused(inputs, tmp_path):
    with pytest.raises(UsageError, match=r"`max_length` .* takes 64 tokens, found 100\. Set 64"):
        pretrain(inputs, tmp_path, start="base", tokenizer="base", max_length=100)
    with pytest.raises(UsageError, match=r"`pair: nsp` .*distilbert"):
        pretrain(inputs, tmp_path, family="distilbert", pair="nsp")
    base = make_encoder(tmp_path / "other")
    tokenizer = json.loads((base / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"]["more"] = len(tokenizer["model"]["vocab"])
    size = len(tokenizer["model"]["vocab"])
    (base / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(DataError, match=rf"it has {size} tokens, the encoder {size - 1}\."):
        pretrain({**inputs, "base": base}, tmp_path, start="base", tokenizer="base")
