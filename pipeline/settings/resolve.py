"""params.yaml, checked as a whole and resolved to the section each stage of each task reads."""

from collections.abc import Callable, Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.core.errors import UsageError
from pipeline.settings.fields import Section
from pipeline.settings.pretrain import CorpusParams, PretrainParams, TextParams
from pipeline.settings.section import (
    Raw,
    check_encoder,
    check_keys,
    check_name,
    check_text_keys,
    mapped,
    section,
    unknown,
)
from pipeline.settings.sources import FetchParams, HubSource, PackageSource
from pipeline.settings.study_cells import study_sections
from pipeline.settings.task import PER_TASK, ReportParams

KINDS: dict[str, type[FetchParams]] = {"package": PackageSource, "hub": HubSource}
TOP_LEVEL = ("encoder", "fetch", *PER_TASK, "corpus", "pretrain", "study", "report", "sources", "encoders", "tasks")


def parse(text: str) -> tuple[Raw, dict[str, int]]:
    """Return the values of a YAML 1.2 document and the line (from 1) of each dotted key.

    Raises:
        UsageError: The text is not YAML, repeats a key, or is not a map.
    """
    try:
        marked = YAML(typ="rt").load(text)
        plain = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise UsageError(f"params.yaml is not valid YAML: {error}") from error
    if not isinstance(plain, dict):
        raise UsageError("params.yaml must be a map of sections")
    return plain, dict(_lines(marked, ""))


def resolve(text: str, profiles: Mapping[str, Raw]) -> dict[str, Any]:
    """Return the sections of a whole params.yaml as the stages read them.

    `{stage: {name: section}}` for stages that are one a source, task, encoder, arm or cell: `fetch`, those of a task,
    `pretrain`, `start`, `rival` and `study`; `{stage: section}` for `corpus`, `transfer` and `report`.

    A task's section is the stage's section with the task's own keys in place of the common ones, `task` with its
    name, and, for `validate`, `reference` with its profile (None where `profiles` has none).

    Raises:
        UsageError: Anything is wrong; the message lists every error with its line and the nearest valid key.
    """
    raw, lines = parse(text)
    problems: dict[str, str] = {}
    check_text_keys(raw, "", problems)
    check_keys(raw, TOP_LEVEL, "", problems)
    check_encoder(raw.get("encoder"), "encoder", raw, problems)
    resolved: dict[str, Any] = {"fetch": _sources(raw, problems)}
    tasks = mapped(raw, "tasks", problems)
    for task, overrides in tasks.items():
        check_name(task, f"tasks.{task}", problems)
        check_keys(overrides if isinstance(overrides, dict) else {}, tuple(PER_TASK), f"tasks.{task}.", problems)
    tasks = {task: own for task, own in tasks.items() if f"tasks.{task}" not in problems}
    for stage, model in PER_TASK.items():
        resolved[stage] = {task: _task_section(raw, stage, model, task, profiles, problems) for task in tasks}
    resolved["corpus"] = _corpus(raw, tuple(tasks), problems)
    resolved["pretrain"] = _encoders(raw, problems)
    resolved |= study_sections(raw, resolved, problems)
    resolved["report"] = section(
        ReportParams,
        {**mapped(raw, "report", problems), "tasks": list(tasks), "encoders": list(resolved["pretrain"])},
        lambda key: f"report.{key}",
        problems,
    )
    for task in tasks:
        _check_slices(resolved["ingest"][task], resolved["evaluate"][task], f"tasks.{task}.evaluate.slices", problems)
    if problems:
        listed = "\n".join(f"  {_place(path, lines)}{path}: {problem}" for path, problem in problems.items())
        raise UsageError(f"params.yaml has {len(problems)} error(s):\n{listed}")
    return resolved


def _encoders(raw: Raw, problems: dict[str, str]) -> Raw:
    """Return the section of each encoder: that of `pretrain` with its own keys in place of the common ones."""
    common, resolved = mapped(raw, "pretrain", problems), {}
    encoders = {} if raw.get("encoders") == {} else mapped(raw, "encoders", problems)  # one may want none
    for name, own in encoders.items():
        path = f"encoders.{name}"
        check_name(name, path, problems)
        if not isinstance(own, dict):
            problems[path] = f"found {own!r}; it must be a map with `base` and what differs from `pretrain`"
            continue
        check_encoder(own.get("base"), f"{path}.base", raw, problems)
        if own.get("base") == f"encoder/{name}":
            problems[f"{path}.base"] = f"found {own['base']!r}: the encoder is made of itself; name another"
        place = _either("pretrain", common, path, own)
        resolved[name] = section(PretrainParams, {**common, **own, "encoder": name}, place, problems)
    return resolved


def _corpus(raw: Raw, tasks: tuple[str, ...], problems: dict[str, str]) -> Raw:
    """Return the section of the corpus: each of its texts has the section's own keys in place of those it lacks."""
    common = dict(mapped(raw, "corpus", problems))
    texts = common.pop("texts", {})
    shared = {name: common.pop(name) for name in TextParams.model_fields if name in common}
    if not isinstance(texts, dict):
        problems["corpus.texts"] = f"found {texts!r}; it must be a map from a name to a file"
        texts = {}
    resolved = {}
    for name, own in texts.items():
        path = f"corpus.texts.{name}"
        check_name(name, path, problems)
        if not isinstance(own, dict):
            problems[path] = f"found {own!r}; it must be a map with `file`"
            continue
        resolved[name] = section(TextParams, {**shared, **own}, _either("corpus", shared, path, own), problems)
    for task in common.get("tasks") or ():
        if task not in tasks:
            problems.setdefault("corpus.tasks", unknown(str(task), tasks, what="task"))
    values = {**common, "texts": resolved if all(resolved.values()) else {}, "protected": list(tasks)}
    return section(CorpusParams, values, lambda key: f"corpus.{key}", problems)


def _task_section(
    raw: Raw, stage: str, model: type[Section], task: str, profiles: Mapping[str, Raw], problems: dict[str, str]
) -> Raw:
    common = mapped(raw, stage, problems)
    task_map = mapped(raw, "tasks", problems).get(task)
    own = task_map.get(stage, {}) if isinstance(task_map, dict) else {}
    if not isinstance(own, dict):
        problems[f"tasks.{task}.{stage}"] = f"found {own!r}; it must be a map of {stage} parameters"
        own = {}
    values = {**common, **own, "task": task}
    if stage == "validate":
        values["reference"] = profiles.get(task)
    is_own = {*own, "file", ""}  # what concerns a section as a whole has no key, and is the task's to mend
    return section(
        model, values, lambda key: f"tasks.{task}.{stage}.{key}" if key in is_own else f"{stage}.{key}", problems
    )


def _check_slices(ingest: Raw, evaluate: Raw, path: str, problems: dict[str, str]) -> None:
    """Find a slice by a column that will not be there before a model is trained to find it."""
    kept = (*ingest.get("keep", ()), "label")
    for column in evaluate.get("slices", ()):
        if ingest and column not in kept:
            problems.setdefault(path, f"found {column!r}; a slice is by a column of `ingest.keep`: {', '.join(kept)}")


def _sources(raw: Raw, problems: dict[str, str]) -> Raw:
    common, resolved = mapped(raw, "fetch", problems), {}
    for name, own in mapped(raw, "sources", problems).items():
        path = f"sources.{name}"
        check_name(name, path, problems)
        kind = own.get("kind") if isinstance(own, dict) else None
        model = KINDS.get(kind) if isinstance(kind, str) else None
        if model is None:
            problems[f"{path}.kind"] = f"found {kind!r}; allowed: {', '.join(KINDS)}"
            continue
        place = _either("fetch", common, path, own)
        resolved[name] = section(model, {**common, **own, "source": name}, place, problems)
    return resolved


def _either(shared: str, common: Raw, path: str, own: Raw) -> Callable[[str], str]:
    """Return where a key stands: below `shared` if it is of the common ones and not overridden, else below `path`."""
    return lambda key: f"{shared}.{key}" if key in common and key not in own else f"{path}.{key}"


def _lines(node: Any, prefix: str) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    if isinstance(node, dict) and hasattr(node, "lc"):
        for key, value in node.items():
            path = f"{prefix}{key}"
            found.append((path, node.lc.key(key)[0] + 1))
            found.extend(_lines(value, f"{path}."))
    return found


def _place(path: str, lines: Mapping[str, int]) -> str:
    """Return `line N: ` of the nearest key at or above `path`."""
    while path and path not in lines:
        path = path.rpartition(".")[0]
    return f"line {lines[path]}: " if path else ""
