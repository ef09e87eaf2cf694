"""The sample of each kind of task: twenty rows, their task, a tiny encoder, and the stages run on them."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.core.files import write_json
from pipeline.core.stage import KINDS, bind_facets, load, read_declaration, stage_params
from pipeline.settings.parse import parse_params
from pipeline.settings.production import ExportParams
from pipeline.stages import export
from tests.given.encoder import make_encoder
from tests.given.images import make_image_encoder
from tests.given.settings import ROOT, dump, read, resolve_params

TASK = "sample"
SAMPLES = (*KINDS, "text-classification-pairs")  # folders of data/sample that pass what every kind must
# What makes a tiny encoder with random weights for a kind; a kind of texts needs no line here.
ENCODERS: dict[str, Callable[[Path], Path]] = {"image-classification": make_image_encoder}
# The inputs and outputs of the stages up to the evaluation, by the name of their option.
FILES = {
    "examples": "examples.parquet",
    "intake": "intake.json",
    "findings": "findings.json",
    "tokens": "tokens.arrow",
    "features": "features.arrow",
    "baselines": "baselines.parquet",
    "linear": "linear",
    "inspection": "inspection.json",
    "suspects": "suspects.csv",
    "model": "model",
    "validation": "validation.json",
    "history": "history.json",
    "calibration": "calibration.json",
    "metrics": "metrics.json",
    "evaluation": "evaluation.json",
    "predictions": "predictions.parquet",
    "projection": "projection.json",
    "confusion": "confusion.csv",
}
# The documents of a task that `report` reads, each in a folder of all tasks.
REPORTED = ("intake", "findings", "inspection", "history", "evaluation", "projection")
BACK = ("calibrate", "evaluate")
FRONT = ("ingest", "validate", "tokenize", "extract", "baseline", "inspect", "finetune")


class Sample(NamedTuple):
    """A sample in a folder: its resolved params, and the path of each file by the name of its option."""

    kind: str
    resolved: Mapping[str, Any]
    paths: Mapping[str, Path]

    def params(self, stage: str) -> Any:
        """Return the params of a stage."""
        return stage_params(self.resolved, stage, TASK, read_declaration(load(stage)).params)[0]

    def run(self, stage: str) -> None:
        """Run one stage."""
        run = load(stage)
        declared = read_declaration(run)
        params, kind = stage_params(self.resolved, stage, TASK, declared.params)
        paths = {name: self.paths[name] for name in (*declared.inputs, *declared.outputs)}
        run(params, **bind_facets(declared, kind), **paths)


def make_sample(folder: Path, name: str) -> Sample:
    """Return a sample by its name, that of its kind if it is the first of it, of which nothing has run yet."""
    source = ROOT / "data/sample" / name
    task, _ = parse_params((source / "task.yaml").read_text(encoding="utf-8"))
    values, _ = parse_params(read("params.yaml"))
    tiny = {"kind": "package", "package": "tiny", "version": "1", "sha256": "0" * 64, "members": {"a": "config.json"}}
    values |= {"tasks": {TASK: task}, "sources": {"tiny": tiny}}
    resolved = resolve_params(dump(values), {})
    write_json(folder / "params.json", resolved)
    encoder = ENCODERS.get(task["kind"], make_encoder)(folder / task["encoder"])
    paths = {name: folder / file for name, file in FILES.items()}
    return Sample(task["kind"], resolved, {"raw": source, "encoder": encoder, **paths})


def run_front(folder: Path, name: str) -> Sample:
    """Return a sample after the stages up to the trained model."""
    sample = make_sample(folder, name)
    for stage in FRONT:
        sample.run(stage)
    return sample


def run_stages(folder: Path, name: str) -> Sample:
    """Return a sample after the stages up to the evaluation."""
    sample = run_front(folder, name)
    for stage in BACK:
        sample.run(stage)
    return sample


def place_in_project(sample: Sample, root: Path) -> Path:
    """Return the folder of the sample's model in a project, with all that production reads beside it."""
    data = root / "data"
    for name in ("model", "linear"):
        shutil.copytree(sample.paths[name], data / name / TASK)
    (data / "calibration").mkdir()
    shutil.copyfile(sample.paths["calibration"], data / "calibration" / f"{TASK}.json")
    write_json(data / "params.json", sample.resolved)
    return data / "model" / TASK


def export_sample(sample: Sample, root: Path) -> Path:
    """Return the bundle of the sample, made by the stage `export` with a gate that lets anything pass."""
    paths = {name: sample.paths[name] for name in ("tokens", "model", "calibration")}
    params = ExportParams(task=TASK, kind=sample.kind, largest_drop=1.0, level=1e-9)
    bundle = root / "export" / TASK
    facets = bind_facets(read_declaration(export.run), sample.kind)
    export.run(params, **facets, **paths, bundle=bundle, exported=root / "exported.json")
    return bundle


def write_report(sample: Sample, folder: Path) -> Mapping[str, Path]:
    """Run `report` on the sample, and return its outputs by the name of their option."""
    run = load("report")
    declared = read_declaration(run)
    inputs = {name: folder / name for name in REPORTED}
    for name, place in inputs.items():
        place.mkdir()
        shutil.copyfile(sample.paths[name], place / f"{TASK}.json")
    outputs = {name: folder / f"out-{name}" for name in declared.outputs}
    params, kind = stage_params(sample.resolved, "report", None, declared.params)
    run(params, **bind_facets(declared, kind), **inputs, templates=ROOT / "pipeline/report/templates", **outputs)
    return outputs
