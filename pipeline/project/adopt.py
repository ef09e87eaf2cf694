"""The values that a search has chosen, adopted: written into the task's own section of params.yaml."""

from pathlib import Path

from pipeline.core.document import Document
from pipeline.core.errors import DataError, UsageError
from pipeline.core.files import publish, read_json, read_utf8
from pipeline.core.stage import load_facets
from pipeline.settings.overlay import edit_yaml
from pipeline.settings.parse import parse_params, submap
from pipeline.settings.problems import describe_unknown
from pipeline.settings.resolve import resolve_params

SEARCHED = Path("data/searched")  # the results of each search, as dvc.yaml has it


def adopt_values(task: str, *, root: Path = Path()) -> str:
    """Write the chosen values of a search into `tasks.TASK.finetune` of params.yaml; return what was changed.

    Values that the task has already are not written, comments stay, and the whole file is checked before. The values
    replaced become `search.tasks.TASK.default`, so that the search goes on comparing with them.

    Raises:
        UsageError: There is no such task, or the new params.yaml is not valid.
        DataError: The results are not those of a search.
        EnvironmentFault: The task has no results of a search, or params.yaml cannot be read or written.
    """
    file = root / "params.yaml"
    text = read_utf8(file)
    changed, replaced = _find_changes(text, task, _read_chosen(task, root))
    if not changed:
        return f"{task}: params.yaml has the chosen values already."
    new = edit_yaml(text, lambda values: _set_values(values, task, changed, replaced))
    resolve_params(new, load_facets("settings"), {})
    with publish(file) as partial:
        partial.write_text(new, encoding="utf-8")
    lines = "".join(f"\n  {key}: {value}" for key, value in changed.items())
    return f"{file}, tasks.{task}.finetune:{lines}\nReview it with `git diff`, then run `dvc repro`."


def read_results(task: str, *, root: Path = Path()) -> Document:
    """Return the results of the search of a task.

    Raises:
        EnvironmentFault: There are none.
    """
    results: Document = read_json(root / SEARCHED / f"{task}.json", fix=f"Run `dvc repro search@{task}` first.")
    return results


def _read_chosen(task: str, root: Path) -> Document:
    results = read_results(task, root=root)
    try:
        values: Document = {**results["chosen"]["values"]}
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{SEARCHED / task}.json: not the results of a search, {error!r}. Run `dvc repro search@{task}` again."
        ) from error
    return values


def _find_changes(text: str, task: str, values: Document) -> tuple[Document, Document]:
    """Return the chosen values that differ from those of params.yaml, and the values there of those still searched.

    Raises:
        UsageError: params.yaml is not valid, or has no such task.
    """
    raw, _ = parse_params(text)
    if task not in (tasks := submap(raw, "tasks")):
        raise UsageError(f"params.yaml: {describe_unknown(task, tuple(tasks), kind='task')}. Name one of its tasks.")
    own = submap(tasks, task)
    kind = submap(submap(raw, "kinds"), str(own.get("kind")))
    present = {**submap(raw, "finetune"), **submap(kind, "finetune"), **submap(own, "finetune")}
    changed = {key: value for key, value in values.items() if key not in present or present[key] != value}
    search = submap(raw, "search")
    searched = {**submap(search, "space"), **submap(submap(submap(search, "tasks"), task), "space")}
    return changed, {key: present[key] for key in changed if key in present and searched.get(key) is not None}


def _set_values(values: Document, task: str, changed: Document, replaced: Document) -> None:
    searched = submap(submap(values, "search"), "tasks")
    if replaced and task in searched:
        if sum(other is searched[task] for other in searched.values()) > 1:  # one map, shared through an alias
            searched[task] = dict(searched[task])
        searched[task]["default"] = {**replaced, **(searched[task].get("default") or {})}
    own = values["tasks"][task]
    if any(other is not own and other.get("finetune") is own.get("finetune") for other in values["tasks"].values()):
        own["finetune"] = dict(own.get("finetune") or {})  # one map, shared through an alias: the others keep theirs
    own.setdefault("finetune", {}).update(changed)
