"""params.yaml, checked as a whole and resolved to the section each stage of each task reads."""

import difflib
import json
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.arms import RivalParams, Study, StudyParams, TransferParams, cells_of
from pipeline.errors import UsageError
from pipeline.params import PER_TASK, CorpusParams, Name, PretrainParams, ProbeParams, ReportParams, Section, TextParams
from pipeline.pins import FetchParams, HubSource, PackageSource

Raw = dict[str, Any]
KINDS: dict[str, type[FetchParams]] = {"package": PackageSource, "hub": HubSource}
TOP_LEVEL = ("encoder", "fetch", *PER_TASK, "corpus", "pretrain", "study", "report", "sources", "encoders", "tasks")
_NAME = TypeAdapter(Name)


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
    """Return `{stage: {task or source: section}}` for a whole params.yaml, and `{"report": section}`.

    A task's section is the stage's section with the task's own keys in place of the common ones, `task` with its
    name, and, for `validate`, `reference` with its profile (None where `profiles` has none).

    Raises:
        UsageError: Anything is wrong; the message lists every error with its line and the nearest valid key.
    """
    raw, lines = parse(text)
    problems: dict[str, str] = {}
    _check_text_keys(raw, "", problems)
    _check_keys(raw, TOP_LEVEL, "", problems)
    _check_encoder(raw.get("encoder"), "encoder", raw, problems)
    resolved: dict[str, Any] = {"fetch": _sources(raw, problems)}
    tasks = _map(raw, "tasks", problems)
    for task, overrides in tasks.items():
        _check_name(task, f"tasks.{task}", problems)
        _check_keys(overrides if isinstance(overrides, dict) else {}, tuple(PER_TASK), f"tasks.{task}.", problems)
    tasks = {task: own for task, own in tasks.items() if f"tasks.{task}" not in problems}
    for stage, model in PER_TASK.items():
        resolved[stage] = {task: _task_section(raw, stage, model, task, profiles, problems) for task in tasks}
    resolved["corpus"] = _corpus(raw, tuple(tasks), problems)
    resolved["pretrain"] = _encoders(raw, problems)
    resolved |= _study(raw, resolved, problems)
    resolved["report"] = _section(
        ReportParams,
        {**_map(raw, "report", problems), "tasks": list(tasks), "encoders": list(resolved["pretrain"])},
        lambda key: f"report.{key}",
        problems,
    )
    for task in tasks:
        _check_slices(resolved["ingest"][task], resolved["evaluate"][task], f"tasks.{task}.evaluate.slices", problems)
    if problems:
        listed = "\n".join(f"  {_place(path, lines)}{path}: {problem}" for path, problem in problems.items())
        raise UsageError(f"params.yaml has {len(problems)} error(s):\n{listed}")
    return resolved


def _check_encoder(value: object, path: str, raw: Raw, problems: dict[str, str]) -> None:
    """Find a folder that no stage makes."""
    made = (
        *(f"raw/{name}" for name in _map(raw, "sources", problems)),
        *(f"encoder/{name}" for name in raw.get("encoders") or ()),
    )
    if value not in made:
        problems.setdefault(path, _unknown(str(value), made).replace("key", "encoder", 1))


def _encoders(raw: Raw, problems: dict[str, str]) -> Raw:
    """Return the section of each encoder: that of `pretrain` with its own keys in place of the common ones."""
    common, resolved = _map(raw, "pretrain", problems), {}
    encoders = {} if raw.get("encoders") == {} else _map(raw, "encoders", problems)  # one may want none
    for name, own in encoders.items():
        path = f"encoders.{name}"
        _check_name(name, path, problems)
        if not isinstance(own, dict):
            problems[path] = f"found {own!r}; it must be a map with `base` and what differs from `pretrain`"
            continue
        _check_encoder(own.get("base"), f"{path}.base", raw, problems)
        if own.get("base") == f"encoder/{name}":
            problems[f"{path}.base"] = f"found {own['base']!r}: the encoder is made of itself; name another"

        def place(key: str, path: str = path, own: Raw = own) -> str:
            return f"pretrain.{key}" if key in common and key not in own else f"{path}.{key}"

        resolved[name] = _section(PretrainParams, {**common, **own, "encoder": name}, place, problems)
    return resolved


def _corpus(raw: Raw, tasks: tuple[str, ...], problems: dict[str, str]) -> Raw:
    """Return the section of the corpus: each of its texts has the section's own keys in place of those it lacks."""
    common = dict(_map(raw, "corpus", problems))
    texts = common.pop("texts", {})
    shared = {name: common.pop(name) for name in TextParams.model_fields if name in common}
    if not isinstance(texts, dict):
        problems["corpus.texts"] = f"found {texts!r}; it must be a map from a name to a file"
        texts = {}
    resolved = {}
    for name, own in texts.items():
        path = f"corpus.texts.{name}"
        _check_name(name, path, problems)
        if not isinstance(own, dict):
            problems[path] = f"found {own!r}; it must be a map with `file`"
            continue

        def place(key: str, path: str = path, own: Raw = own) -> str:
            return f"corpus.{key}" if key in shared and key not in own else f"{path}.{key}"

        resolved[name] = _section(TextParams, {**shared, **own}, place, problems)
    for task in common.get("tasks") or ():
        if task not in tasks:
            problems.setdefault("corpus.tasks", _unknown(str(task), tasks).replace("key", "task", 1))
    values = {**common, "texts": resolved if all(resolved.values()) else {}, "protected": list(tasks)}
    return _section(CorpusParams, values, lambda key: f"corpus.{key}", problems)


def _task_section(
    raw: Raw, stage: str, model: type[Section], task: str, profiles: Mapping[str, Raw], problems: dict[str, str]
) -> Raw:
    common = _map(raw, stage, problems)
    task_map = _map(raw, "tasks", problems).get(task)
    own = task_map.get(stage, {}) if isinstance(task_map, dict) else {}
    if not isinstance(own, dict):
        problems[f"tasks.{task}.{stage}"] = f"found {own!r}; it must be a map of {stage} parameters"
        own = {}
    values = {**common, **own, "task": task}
    if stage == "validate":
        values["reference"] = profiles.get(task)
    is_own = {*own, "file", ""}  # what concerns a section as a whole has no key, and is the task's to mend
    return _section(
        model, values, lambda key: f"tasks.{task}.{stage}.{key}" if key in is_own else f"{stage}.{key}", problems
    )


def _study(raw: Raw, resolved: Raw, problems: dict[str, str]) -> Raw:
    """Return the sections of the study's stages: `rival` and `study` by cell, `start` by arm, `transfer` as a whole."""
    found = _section(Study, _map(raw, "study", problems), lambda key: f"study.{key}".rstrip("."), problems)
    if not found:
        return {}
    study = Study.model_validate_json(json.dumps(found))
    if unknown := [task for task in study.tasks if task not in resolved["ingest"]]:
        problems["study.tasks"] = _unknown(unknown[0], tuple(resolved["ingest"])).replace("key", "task", 1)
        return {}

    def section(model: type[Section], cell: Any, **values: Any) -> Raw:
        group = "rivals" if cell.arm in study.rivals else "arms"
        place = f"study.{group}.{cell.arm}"
        return _section(model, {**cell._asdict(), **values}, lambda key: f"{place}.{key}".rstrip("."), problems)

    def baseline(cell: Any) -> Raw | None:
        own = {**resolved["baseline"][cell.task], **study.rivals[cell.arm].baseline}
        return own if cell.arm == "tfidf" else None

    def trained(cell: Any) -> Raw:
        arm, common = study.arms[cell.arm], _map(raw, "finetune", problems)
        own = {**common, **study.finetune, **arm.finetune, "task": cell.task, "seed": cell.seed}
        probed = arm.kind == "probe"
        strengths = {key: resolved["baseline"][cell.task].get(key) for key in ProbeParams.model_fields}
        return {
            "initial": arm.initial,
            "max_length": resolved["tokenize"][cell.task].get("max_length"),
            "min_steps": study.min_steps,
            "extract": resolved["extract"][cell.task] if probed else None,
            "probe": strengths if probed else None,
            "finetune": None if probed else own,
        }

    return {
        "rival": {
            name: section(RivalParams, cell, baseline=baseline(cell)) for name, cell in cells_of(study, study.rivals)
        },
        "start": {name: {"arm": name, "initial": arm.initial} for name, arm in study.arms.items()},
        "study": {name: section(StudyParams, cell, **trained(cell)) for name, cell in cells_of(study, study.arms)},
        "transfer": {
            **{key: found[key] for key in TransferParams.model_fields if key in found},
            "arms": {name: arm["title"] for name, arm in {**found["rivals"], **found["arms"]}.items()},
            "encoders": {name: arm.encoder for name, arm in study.arms.items()},
        },
    }


def _check_slices(ingest: Raw, evaluate: Raw, path: str, problems: dict[str, str]) -> None:
    """Find a slice by a column that will not be there before a model is trained to find it."""
    kept = (*ingest.get("keep", ()), "label")
    for column in evaluate.get("slices", ()):
        if ingest and column not in kept:
            problems.setdefault(path, f"found {column!r}; a slice is by a column of `ingest.keep`: {', '.join(kept)}")


def _sources(raw: Raw, problems: dict[str, str]) -> Raw:
    common, resolved = _map(raw, "fetch", problems), {}
    for name, own in _map(raw, "sources", problems).items():
        path = f"sources.{name}"
        _check_name(name, path, problems)
        kind = own.get("kind") if isinstance(own, dict) else None
        model = KINDS.get(kind) if isinstance(kind, str) else None
        if model is None:
            problems[f"{path}.kind"] = f"found {kind!r}; allowed: {', '.join(KINDS)}"
            continue

        shared = set(common) - set(own)

        def place(key: str, path: str = path, shared: set[str] = shared) -> str:
            return f"fetch.{key}" if key in shared else f"{path}.{key}"

        resolved[name] = _section(model, {**common, **own, "source": name}, place, problems)
    return resolved


def _section(model: type[Section], values: Raw, place: Any, problems: dict[str, str]) -> Raw:
    """Return `values` as `model` reads them; add what is wrong to `problems` under the place of its key."""
    try:
        section = model.model_validate_json(json.dumps(values))
    except ValidationError as error:
        for item in error.errors(include_url=False):
            keys = [str(part) for part in item["loc"]]
            key = keys[0] if keys else ""
            path = ".".join([place(key), *keys[1:]]).rstrip(".")
            problems.setdefault(path, _explain(dict(item), model, key))
        return {}
    except TypeError as error:
        problems.setdefault(place("").rstrip("."), f"{error}; use text, numbers, booleans, lists and maps")
        return {}
    return section.model_dump(mode="json")


def _explain(item: Raw, model: type[Section], key: str) -> str:
    if item["type"] == "extra_forbidden":
        return _unknown(str(item["loc"][-1]), _allowed(model, item["loc"][:-1]))
    if item["type"] == "missing":
        return "is missing; " + ("it belongs to the task" if key in ("file",) else "add it")
    message = str(item["msg"]).removeprefix("Value error, ")
    return message if item["type"] == "value_error" else f"found {item['input']!r}; {message[0].lower()}{message[1:]}"


def _allowed(model: type[Section], path: Sequence[str | int]) -> tuple[str, ...]:
    """Return the keys of the section that lies at `path` below `model`; none where that is a free map."""
    for step in path:
        kind = model.model_fields[str(step)].annotation if str(step) in model.model_fields else None
        inner = [one for one in (kind, *get_args(kind)) if isinstance(one, type) and issubclass(one, Section)]
        if not inner:
            return ()
        model = inner[0]
    return tuple(model.model_fields)


def _unknown(key: str, allowed: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(key, allowed, n=1, cutoff=0.5)
    return "unknown key; " + (f"did you mean `{near[0]}`?" if near else f"allowed: {', '.join(allowed) or 'none here'}")


def _check_text_keys(node: Any, prefix: str, problems: dict[str, str]) -> None:
    """Find keys that are not text: a whole number stands for its digits; `true` or 1.0 could mean several texts."""
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if not isinstance(key, str) and (not isinstance(key, int) or isinstance(key, bool) or str(key) in node):
            problems[f"{prefix}{key}"] = f"found the key {key!r}, which is not text; write it in quotes, once"
        _check_text_keys(value, f"{prefix}{key}.", problems)


def _check_keys(found: Mapping[Any, Any], allowed: tuple[str, ...], prefix: str, problems: dict[str, str]) -> None:
    for key in found:
        if key not in allowed:
            problems.setdefault(f"{prefix}{key}", _unknown(str(key), allowed))


def _check_name(value: object, path: str, problems: dict[str, str]) -> None:
    try:
        _NAME.validate_python(value)
    except ValidationError:
        problems.setdefault(path, f"found the name {value!r}; allowed are up to 64 of a-z, 0-9, _ and -")


def _map(raw: Raw, key: str, problems: dict[str, str]) -> Raw:
    value = raw.get(key)
    if isinstance(value, dict) and value:
        return value
    problems.setdefault(
        key, "is missing" if value is None else f"found {value!r}; it must be a map with at least one key"
    )
    return {}


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
