"""The cells of the study and what they start from, on real tiny encoders."""

import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
import torch

from pipeline.core.errors import EnvironmentFault, UsageError
from pipeline.core.files import sha256
from pipeline.core.stage import bind_facets, read_declaration
from pipeline.core.tables import describe, read_parquet, write_parquet
from pipeline.finetune import fit
from pipeline.models.features import extract_vectors
from pipeline.models.folder import build_classifier, build_random_model
from pipeline.models.heads import classifier_head
from pipeline.settings.study import Cell, RivalParams, StartParams, StudyParams, TransferParams, list_cells
from pipeline.settings.task import BaselineParams, ExtractParams, ProbeParams
from pipeline.stages import rival, start, study, transfer
from pipeline.study import fewshot
from pipeline.study.cell import read_answers
from pipeline.study.fewshot import count_epochs
from pipeline.study.results import CellResult
from pipeline.train.training import Training
from tests.given.training import with_params

GOOD, BAD = ("great", "lovely", "warm", "clever"), ("bad", "dull", "grim", "weak")
BASELINE = BaselineParams(
    task="t",
    sample=1000,
    ngrams=1,
    characters=3,
    min_df=1,
    strengths=(1.0, 10.0),
    probe_strengths=(0.1,),
    max_iter=1000,
)
EXTRACT = ExtractParams(
    task="t", pooling="mean", layer=-1, batch_tokens=256, batch_size=32, precision="auto", attention="auto", threads=1
)
HOW = with_params(epochs=1, batch_size=8, batch_tokens=256, learning_rate=3e-3, evaluations=1, metric="accuracy")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    rng = np.random.default_rng(0)
    kinds = [str(rng.choice(GOOD if at % 2 else BAD)) for at in range(180)]
    table = pa.table(
        {
            "id": [f"id{at:03}" for at in range(180)],
            "split": [("train", "train", "validation", "test")[at // 2 % 4] for at in range(180)],
            "text": [f"the {kind} film {rng.choice(['plot', 'cast', 'music'])}" for kind in kinds],
            "label": pa.array([at % 2 for at in range(180)], pa.int64()),
            "row": pa.array(range(180), pa.int64()),
        }
    )
    write_parquet(folder / "t.parquet", describe(table, task="t", labels=("no", "yes")))
    (folder / "findings.json").write_text("{}")
    return {"examples": folder / "t.parquet", "findings": folder / "findings.json"}


def cell_params(**changes):
    values = {"task": "t", "arm": "a", "labels": 24, "seed": 0, "initial": "pretrained", "max_length": 16}
    return StudyParams(**{**values, "min_steps": 40, "extract": None, "probe": None, "finetune": HOW, **changes})


def cell(tmp_path, name, stage, params, **paths) -> CellResult:
    outs = {"cell": tmp_path / f"{name}.json", "predictions": tmp_path / f"{name}.parquet"}
    facets = bind_facets(read_declaration(stage.run), "text-classification")
    stage.run(params, **facets, **paths, **outs)
    document = json.loads(outs["cell"].read_text())
    return CellResult(document, read_answers(_place(params), document, read_parquet(outs["predictions"])))


def _place(params) -> Cell:
    return Cell(params.task, params.arm, params.labels, params.seed)


def test_majority_and_tfidf_answer_the_test_rows(inputs, tmp_path):
    values = {"task": "t", "labels": 24, "seed": 0}
    majority = cell(tmp_path, "majority", rival, RivalParams(arm="majority", baseline=None, **values), **inputs)
    assert majority.document["accuracy"] == pytest.approx(0.5, abs=0.05)
    assert len(set(majority.answers.predicted.tolist())) == 1
    tfidf = cell(tmp_path, "tfidf", rival, RivalParams(arm="tfidf", baseline=BASELINE, **values), **inputs)
    assert tfidf.document["accuracy"] > 0.9
    assert tfidf.document["rows"] == {"train": 24, "validation": 24, "test": 44}
    assert majority.answers.ids == tfidf.answers.ids
    assert majority.answers.actual.tolist() == tfidf.answers.actual.tolist()


def test_a_rival_never_imports_torch():
    code = "import sys, pipeline.stages.rival, pipeline.stages.transfer; "
    show = "print(sorted(name for name in ('torch', 'transformers') if name in sys.modules))"
    ended = subprocess.run([sys.executable, "-c", code + show], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def test_fine_tuning_learns_from_few_labels_and_gives_the_same_bytes_again(inputs, encoder, tmp_path):
    document, _ = cell(tmp_path, "one", study, cell_params(), start=encoder, **inputs)
    cell(tmp_path, "two", study, cell_params(), start=encoder, **inputs)
    for suffix in ("json", "parquet"):
        assert sha256(tmp_path / f"one.{suffix}") == sha256(tmp_path / f"two.{suffix}")
    assert document["accuracy"] > 0.8
    assert document["steps"] >= 40
    assert document["tokens"] > 40 * 8 * 3


def test_low_rank_adapters_learn_in_place_of_the_encoder(inputs, encoder, tmp_path, monkeypatch):
    learning = set()

    class Watched(Training):
        def __init__(self, model, *others):
            learning.update(name for name, value in model.named_parameters() if value.requires_grad)
            super().__init__(model, *others)

    monkeypatch.setattr(fit, "Training", Watched)
    how = HOW.model_copy(update={"lora": 2, "freeze_layers": 1, "freeze_embeddings": True})
    cell(tmp_path, "lora", study, cell_params(finetune=how), start=encoder, **inputs)
    inside = {name for name in learning if ".layer." in name}
    assert inside
    assert all(".layer.1." in name and ".lora_" in name for name in inside)
    assert {name for name in learning - inside if "pooler" not in name} == {"classifier.weight", "classifier.bias"}


def test_a_text_is_read_as_far_as_the_encoder_can(inputs, encoder, tmp_path):
    table = read_parquet(inputs["examples"])
    texts = [f"{text} " * 40 for text in table["text"].to_pylist()]  # 160 tokens; the encoder takes 64
    write_parquet(
        tmp_path / "long.parquet", table.set_column(table.column_names.index("text"), "text", pa.array(texts))
    )
    document, _ = cell(
        tmp_path, "long", study, cell_params(max_length=512, min_steps=2),
        examples=tmp_path / "long.parquet", findings=inputs["findings"], start=encoder,
    )  # fmt: skip
    assert document["steps"] == 6  # four such rows are a batch
    assert document["tokens"] == 24 * 64


def test_a_test_row_changes_no_answer_to_the_others(inputs, encoder, tmp_path):
    table = read_parquet(inputs["examples"])
    ids = table["id"].to_pylist()
    gone = next(at for at, split in enumerate(table["split"].to_pylist()) if split == "test")
    fewer = table.take([at for at in range(len(ids)) if at != gone])
    write_parquet(tmp_path / "fewer.parquet", fewer)
    whole = cell(tmp_path, "whole", study, cell_params(), start=encoder, **inputs)
    less = cell(
        tmp_path, "less", study, cell_params(), start=encoder, **inputs | {"examples": tmp_path / "fewer.parquet"}
    )
    predicted = dict(zip(whole.answers.ids, whole.answers.predicted.tolist(), strict=True))
    del predicted[ids[gone]]
    assert predicted == dict(zip(less.answers.ids, less.answers.predicted.tolist(), strict=True))


def test_another_seed_sees_other_rows_and_makes_another_model(inputs, encoder, tmp_path):
    first, other = (
        cell(tmp_path, f"{seed}", study, cell_params(seed=seed, labels=6, min_steps=40), start=encoder, **inputs)
        for seed in (0, 1)
    )
    assert first.answers.actual.tolist() == other.answers.actual.tolist()
    assert first.answers.predicted.tolist() != other.answers.predicted.tolist()


def test_a_probe_fits_a_linear_model_on_frozen_features(inputs, encoder, tmp_path):
    params = cell_params(
        finetune=None, probe=ProbeParams(probe_strengths=(0.01, 0.1, 1.0), max_iter=1000), extract=EXTRACT
    )
    document, _ = cell(tmp_path, "probe", study, params, start=encoder, **inputs)
    assert document["accuracy"] > 0.8
    assert (document["steps"], document["tokens"]) == (0, 0)


def test_a_probe_computes_on_the_threads_that_extract_says(inputs, encoder, tmp_path, monkeypatch):
    used = []

    def watched(*given, **options):
        used.append(torch.get_num_threads())
        return extract_vectors(*given, **options)

    monkeypatch.setattr(fewshot, "extract_vectors", watched)
    before = torch.get_num_threads()
    params = cell_params(
        finetune=None, probe=ProbeParams(probe_strengths=(0.1,), max_iter=1000),
        extract=EXTRACT.model_copy(update={"threads": before + 1}),
    )  # fmt: skip
    cell(tmp_path, "probe", study, params, start=encoder, **inputs)
    assert used == [before + 1] * 3
    assert torch.get_num_threads() == before


def test_a_cell_that_says_nothing_is_refused(inputs, encoder, tmp_path):
    with pytest.raises(UsageError, match="neither `finetune` nor `probe`"):
        cell(tmp_path, "no", study, cell_params(finetune=None), start=encoder, **inputs)


@pytest.mark.parametrize(("rows", "expected"), [(8, 40), (24, 14), (320, 1), (1000, 1)])
def test_few_rows_are_seen_often_enough(rows, expected):
    assert count_epochs(HOW, rows, min_steps=40) == expected


def test_a_random_start_has_the_encoders_shape_and_depends_on_the_seed(encoder):
    one, same, other = (
        build_random_model(encoder, classifier_head(("a", "b")), dropout=0.0, seed=seed) for seed in (1, 1, 2)
    )
    loaded = build_classifier(encoder, ("a", "b"), dropout=0.0, seed=3)  # the encoder itself was made with seed 0
    for (name, value), (_, again), (_, different), (_, theirs) in zip(
        *(model.named_parameters() for model in (one, same, other, loaded)), strict=True
    ):
        assert torch.equal(value, again), name
        assert value.shape == theirs.shape
        if "weight" in name and "LayerNorm" not in name:
            assert not torch.equal(value, different), name
            assert not torch.equal(value, theirs), name


# ------------------------------------------------------------------------------------------------ what arms start from
def test_a_pretrained_start_is_the_encoder_and_a_random_one_its_shape(encoder, tmp_path):
    for initial in ("pretrained", "random"):
        start.run(StartParams(arm="a", initial=initial), encoder=encoder, start=tmp_path / initial)
    whole, shape = ({path.name for path in (tmp_path / name).iterdir()} for name in ("pretrained", "random"))
    assert shape == {"config.json", "tokenizer.json", "tokenizer_config.json"}
    assert whole == shape | {"model.safetensors"}
    assert sha256(tmp_path / "pretrained/model.safetensors") == sha256(encoder / "model.safetensors")


def test_a_folder_that_is_no_encoder_is_refused(tmp_path):
    (tmp_path / "none").mkdir()
    with pytest.raises(EnvironmentFault, match=r"none: .*config\.json"):
        start.run(StartParams(arm="a", initial="random"), encoder=tmp_path / "none", start=tmp_path / "start")
    assert not (tmp_path / "start").exists()


# ------------------------------------------------------------------------------------------------ the join
def test_the_cells_are_joined_and_others_do_not_matter(inputs, tmp_path):
    params = TransferParams(
        tasks=("t",), arms={"majority": "largest", "tfidf": "words"}, encoders={}, labels=(8, 24), seeds=(0, 1),
        comparisons=(("tfidf", "majority"),), confidence=0.95, resamples=100,
    )  # fmt: skip
    cells = tmp_path / "cells"
    for name, where in list_cells(params, params.arms):
        values = RivalParams(**where._asdict(), baseline=BASELINE if where.arm == "tfidf" else None)
        rival.run(values, **inputs, cell=cells / f"{name}.json", predictions=cells / f"{name}.parquet")
    (cells / "t-forest-8-0.json").write_text("no JSON")
    transfer.run(params, cells=cells, transfer=tmp_path / "transfer.json", curves=tmp_path / "transfer.csv")
    (task,) = json.loads((tmp_path / "transfer.json").read_text())["tasks"]
    assert [arm["arm"] for arm in task["arms"]] == ["majority", "tfidf"]
    assert task["comparisons"][-1]["outcome"] == "real gain"
    assert len((tmp_path / "transfer.csv").read_text().splitlines()) == 5
    for suffix in ("parquet", "json"):
        (cells / f"t-tfidf-8-1.{suffix}").unlink()
        with pytest.raises(EnvironmentFault, match=rf"t-tfidf-8-1\.{suffix}"):
            transfer.run(params, cells=cells, transfer=tmp_path / "transfer.json", curves=tmp_path / "transfer.csv")
