"""The section `study` of params.yaml, and the sections that the stages of the study read.

A cell is one model: an arm on a task with a number of labels and a seed. An arm without an encoder is a rival.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from pipeline.core.document import Document, Strict
from pipeline.settings.fields import Count, FilePath, Name, Seed, Text
from pipeline.settings.problems import Problems, describe_unknown
from pipeline.settings.section import check_encoder, check_section, merge, refuse_derived, require_map
from pipeline.settings.shared.kind import Settings
from pipeline.settings.shared.tasks import list_layers
from pipeline.settings.shared.text_forms import find_partial_reading
from pipeline.settings.task import BaselineParams, ExtractParams, FinetuneParams, ProbeParams

LabelCount = Annotated[int, Field(ge=2, le=10**9)] | Literal["all"]
Comparison = tuple[Name, Name]
# Keys of `finetune` that can keep weights as they are, each with the value that lets all weights learn.
_LEARNING: Document = {"freeze_embeddings": False, "freeze_layers": 0, "lora": None}


class Rival(Strict):
    """An arm without an encoder; `baseline` holds the keys of the section `baseline` that differ for it."""

    title: Text
    baseline: dict[str, Any]


class Arm(Strict):
    """An arm that starts from the encoder in a folder below data/.

    `finetune` holds the keys of that section that differ for it. `min_steps` is the least number of updates of a
    fine-tuning; a probe makes none.
    """

    title: Text
    encoder: FilePath
    kind: Literal["probe", "finetune"]
    initial: Literal["pretrained", "random"]
    min_steps: Annotated[int, Field(ge=0, le=10**6)]
    finetune: dict[str, Any]

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        if self.kind == "probe" and (self.initial == "random" or self.min_steps or self.finetune):
            raise ValueError("a probe trains no encoder: `initial` is pretrained, `min_steps` is 0, `finetune` is {}")
        return self


class Study(Strict):
    """The whole section, as written; all its tasks are of one kind."""

    kind: Name
    tasks: Annotated[tuple[Name, ...], Field(min_length=1)]
    labels: Annotated[tuple[LabelCount, ...], Field(min_length=1)]
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)]
    finetune: dict[str, Any]
    rivals: dict[Name, Rival]
    arms: Annotated[dict[Name, Arm], Field(min_length=1)]
    comparisons: tuple[Comparison, ...]
    confidence: Annotated[float, Field(gt=0, lt=1)]
    resamples: Annotated[int, Field(ge=100, le=10**6)]

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        errors = [error for axis in ("tasks", "labels", "seeds") for error in _check_unique(axis, getattr(self, axis))]
        errors += [
            f"`rivals` must be of {', '.join(RIVALS)}, found {arm!r}" for arm in self.rivals if arm not in RIVALS
        ]
        names = [*self.rivals, *self.arms]
        errors += _check_unique("arms and rivals", names)
        errors += _check_unique("comparisons", [list(pair) for pair in self.comparisons])
        errors += [
            f"`comparisons` must be pairs of two different names of {', '.join(names)}, found {list(pair)}"
            for pair in self.comparisons
            if len(set(pair)) < 2 or not set(pair) <= set(names)
        ]
        numbers = [count for count in self.labels if count != "all"]
        if numbers != sorted(numbers) or "all" in self.labels[:-1]:
            errors.append(f"`labels` must rise, with `all` last, found {list(self.labels)}")
        cells = [name for name, _ in [*list_cells(self, self.rivals), *list_cells(self, self.arms)]]
        errors += _check_unique("the cells TASK-ARM-LABELS-SEED", cells)
        if errors:
            raise ValueError("; ".join(errors))
        return self


class Cell(NamedTuple):
    """The coordinates of one model of the study."""

    task: str
    arm: str
    labels: int | str
    seed: int


class RivalParams(Strict):
    """A cell of an arm without an encoder; `baseline` is None if nothing is fitted."""

    task: Name
    arm: Name
    labels: LabelCount
    seed: Seed
    baseline: BaselineParams | None


class StartParams(Strict):
    """The part of an encoder that an arm starts from: all of it, or its shape and tokenizer alone."""

    arm: Name
    initial: Literal["pretrained", "random"]


class StudyParams(Strict):
    """A cell of an arm with an encoder: fine-tuned if it has `finetune`, probed if it has `extract` and `probe`."""

    task: Name
    arm: Name
    labels: LabelCount
    seed: Seed
    initial: Literal["pretrained", "random"]
    max_length: Annotated[int, Field(ge=4, le=8192)]
    min_steps: Annotated[int, Field(ge=0, le=10**6)]
    extract: ExtractParams | None
    probe: ProbeParams | None
    finetune: FinetuneParams | None


class TransferParams(Strict):
    """The axes of the table that the cells are joined to: task, arm (name and title), labels and seed."""

    tasks: tuple[Name, ...]
    arms: dict[Name, Text]
    encoders: dict[Name, Text]
    labels: tuple[LabelCount, ...]
    seeds: tuple[Seed, ...]
    comparisons: tuple[Comparison, ...]
    confidence: Annotated[float, Field(gt=0, lt=1)]
    resamples: Count


RIVALS = ("majority", "tfidf")


def list_cells(study: Study | TransferParams, arms: Mapping[str, Any]) -> Iterator[tuple[str, Cell]]:
    """Yield the cells of some arms, each after its name `TASK-ARM-LABELS-SEED`, which is DVC's for a matrix."""
    for cell in product(study.tasks, arms, study.labels, study.seeds):
        yield "-".join(map(str, cell)), Cell(*cell)


def _check_unique(key: str, values: Sequence[Any]) -> list[str]:
    repeated = [value for value, count in Counter(map(repr, values)).items() if count > 1]
    return [f"`{key}` must not repeat, found {repeated[0]} twice"] if repeated else []


def resolve_study(raw: Document, resolved: Document, kinds: Mapping[str, Settings], problems: Problems) -> Document:
    """Return the sections of the study's stages: `rival` and `study` by cell, `start` by arm, `transfer` as a whole."""
    section = check_section(Study, require_map(raw, "study", problems), problems.within("study"))
    if not section:
        return {}
    study = Study.model_validate_json(json.dumps(section))
    if unknown := [task for task in study.tasks if task not in resolved["ingest"]]:
        problems.add("study.tasks", describe_unknown(unknown[0], tuple(resolved["ingest"]), kind="task"))
        return {}
    studied = tuple(kind for kind, settings in kinds.items() if "study" in settings.sections)
    if study.kind not in studied:
        problems.add("study.kind", f"must be a kind that can be studied ({', '.join(studied)}), found {study.kind!r}")
        return {}
    if other := [task for task in study.tasks if resolved["kinds"][task] in {*kinds} - {study.kind}]:
        problems.add("study.tasks", f"must be of the kind {study.kind}, found {other[0]!r}")
        return {}
    if odd := [(task, key) for task in study.tasks if (key := find_partial_reading(resolved, task))]:
        problems.add("study.tasks", f"must be tasks that read a text at once, found {odd[0][0]!r} with `{odd[0][1]}`")
        return {}
    settings, layers = kinds[study.kind], list_layers(raw, "finetune", study.kind, kinds, problems)
    refuse_derived(study.finetune, ("task", "kind", "seed"), problems.within("study.finetune"))
    for name, rival in study.rivals.items():
        refuse_derived(rival.baseline, ("task",), problems.within(f"study.rivals.{name}.baseline"))
    for name, arm in study.arms.items():
        refuse_derived(arm.finetune, ("task", "kind", "seed"), problems.within(f"study.arms.{name}.finetune"))
        check_encoder(arm.encoder, f"study.arms.{name}.encoder", raw, problems)
        if arm.initial == "random":
            finetune = {**merge(*layers)[0], **study.finetune, **arm.finetune}
            _check_random(finetune, problems.within(f"study.arms.{name}.finetune"))
    rivals, arms = list_cells(study, study.rivals), list_cells(study, study.arms)
    return {
        "rival": {name: _resolve_rival(study, cell, resolved, settings, problems) for name, cell in rivals},
        "start": {name: {"arm": name, "initial": arm.initial} for name, arm in study.arms.items()},
        "study": {name: _resolve_arm(study, cell, layers, resolved, settings, problems) for name, cell in arms},
        "transfer": {
            **{key: section[key] for key in TransferParams.model_fields if key in section},
            "arms": {name: arm["title"] for name, arm in {**section["rivals"], **section["arms"]}.items()},
            "encoders": {name: arm.encoder for name, arm in study.arms.items()},
        },
    }


def _resolve_rival(study: Study, cell: Cell, resolved: Document, settings: Settings, problems: Problems) -> Document:
    """Return the section of a cell without an encoder; the largest class has no parameters.

    Errors of the task's own sections are reported there, and not once more for each cell.
    """
    if not resolved["baseline"][cell.task]:
        return {}
    baseline = {**resolved["baseline"][cell.task], **study.rivals[cell.arm].baseline}
    values = {**cell._asdict(), "baseline": baseline if cell.arm == "tfidf" else None}
    return check_section(settings.sections["rival"], values, problems.within(f"study.rivals.{cell.arm}"))


def _resolve_arm(
    study: Study,
    cell: Cell,
    layers: tuple[tuple[str, Document], tuple[str, Document]],
    resolved: Document,
    settings: Settings,
    problems: Problems,
) -> Document:
    """Return the section of a cell with an encoder; errors of the task's own sections are reported there alone."""
    if not all(resolved[stage][cell.task] for stage in ("tokenize", "extract", "baseline", "finetune")):
        return {}
    arm, at = study.arms[cell.arm], f"study.arms.{cell.arm}"
    finetune, places = merge(*layers, ("study.finetune", study.finetune), (f"{at}.finetune", arm.finetune))
    strengths = {key: resolved["baseline"][cell.task][key] for key in ProbeParams.model_fields}
    probe = strengths if arm.kind == "probe" else None
    values = {
        **cell._asdict(),
        "initial": arm.initial,
        "max_length": resolved["tokenize"][cell.task]["max_length"],
        "min_steps": arm.min_steps,
        "extract": resolved["extract"][cell.task] if probe else None,
        "probe": probe,
        "finetune": None if probe else {**finetune, "task": cell.task, "kind": study.kind, "seed": cell.seed},
    }
    within = problems.within(at, {f"finetune.{key}": place for key, place in places.items()})
    return check_section(settings.sections["study"], values, within)


def _check_random(finetune: Document, problems: Problems) -> None:
    """Add an error for random weights that would never learn, unless the common value has one of its own."""
    for key, learning in _LEARNING.items():
        if finetune.get(key, learning) != learning and f"finetune.{key}" not in problems.errors:
            wrong = f"would keep random weights as they are (`initial` is random), found {finetune[key]!r}"
            problems.add(key, f"{wrong}; set {json.dumps(learning)}")
