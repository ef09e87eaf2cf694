"""The init of a project: a repository of its own that holds the pipeline, somebody's data and a task that fits them."""

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import NamedTuple

from pipeline.core.command import read_output
from pipeline.core.document import Document
from pipeline.core.errors import UsageError, listed
from pipeline.core.files import publish
from pipeline.core.format import count
from pipeline.core.stage import load_facet, load_facets
from pipeline.examples.files import expand_files
from pipeline.examples.lines import LineCap
from pipeline.examples.read import Limits, read_records
from pipeline.examples.taking.entry import take_in
from pipeline.project.guess import Ask, Guess, guess_data
from pipeline.project.params_file import add_entry, set_value
from pipeline.project.task import fit_limits, list_doubts, name_task, render_guess, require_name
from pipeline.project.vendor import TEMPLATE, Version, commit_version, read_version, write_files
from pipeline.settings.parse import parse_params, submap
from pipeline.settings.resolve import resolve_params
from pipeline.settings.shared.texts import LabelledTextParams

CLONE = Path(__file__).parents[2]
_DVC_CONFIG = "[core]\n    analytics = false\n    autostage = false\n"
_CELLS_OF_A_LINE = 16
# The profiles that name tasks, and where.
_OF_TASKS = {"profiles/pretraining/params.yaml": "corpus.tasks", "profiles/study/params.yaml": "study.tasks"}
_REASONS = {
    "empty": "without a text",
    "duplicates": "repeats of a text",
    "conflicts": "texts with several labels",
    "leaks": "texts of another split",
}


class FittedTask(NamedTuple):
    """A task that fits somebody's data: its name, the params.yaml with it, the guess, the counts of intake, limits."""

    name: str
    params: str
    guess: Guess
    counts: Document
    limits: dict[str, int]


def init_project(
    folder: Path,
    data: Path | None = None,
    *,
    text: str | None = None,
    label: str | None = None,
    name: str | None = None,
    ask: Ask | None = None,
    clone: Path = CLONE,
) -> FittedTask | None:
    """Make a project of one's own in `folder`, and return its task; None without data.

    `data` is a file, or a folder laid out like a dataset of the Hub; it is copied. The pipeline is that of the last
    commit of `clone`. For the others see `fit_task`.

    Raises:
        UsageError: The folder is not empty, the data are not there, a column is not clear, or the name is none.
        DataError: The data break their format.
        EnvironmentFault: git or DVC failed; nothing is left of the project.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder}: is there already, and not empty. Name a new folder.")
    if data is not None and not data.exists():
        raise UsageError(f"{data}: is not there. Correct the path.")
    version = read_version(str(clone))
    params = set_value(version.files["params.yaml"].decode(), "report.title", folder.resolve().name)
    task = None if data is None else fit_task(data, params, text=text, label=label, name=name, ask=ask)
    with publish(folder.resolve()) as partial:
        partial.mkdir()
        _start_repository(partial, version)
        readme = Template(version.files[TEMPLATE].decode())
        names = {"project": folder.resolve().name, "version": version.number, "task": task.name if task else "NAME"}
        own = {"README.md": readme.safe_substitute(names), "data/profiles.json": "{}\n"}
        own["params.yaml"] = task.params if task else params
        if task:
            own |= {
                name: set_value(version.files[name].decode(), path, [task.name]) for name, path in _OF_TASKS.items()
            }
        write_files(partial, {name: content.encode() for name, content in own.items()})
        if data is not None and task is not None:
            _add_data(partial, data, task)
        read_output(["git", "add", "--all"], cwd=partial)
        read_output(["git", "commit", "--quiet", "--message", "Start the project"], cwd=partial)
    return task


def fit_task(
    data: Path,
    params: str,
    *,
    text: str | None = None,
    label: str | None = None,
    name: str | None = None,
    ask: Ask | None = None,
) -> FittedTask:
    """Return the task that fits the data, after it has read all of them as `ingest` will.

    `name` is the task's, else that of the data. For the others see `guess_data`.

    Raises:
        UsageError: A column is not clear, the name is none, or there is no encoder.
        DataError: The data break their format, or no rows are left.
    """
    values, _ = parse_params(params)
    sources = submap(values, "sources")
    if not sources:
        raise UsageError("params.yaml: no source brings an encoder. Run `init` in a clone whose tasks have one.")
    name = name_task(data.resolve(), sources) if name is None else require_name(name, sources)
    guess = guess_data(data, limits_of(values["ingest"]), text=text, label=label, ask=ask)
    file = name if data.is_dir() else f"{name}/{data.name}"
    encoder = f"raw/{next(iter(sources))}"
    first = add_entry(params, "tasks", render_guess(name, file, guess, encoder=encoder, limits={}))
    section = resolve_params(first, load_facets("settings"), {})["ingest"][name]
    ingest = LabelledTextParams.model_validate_json(json.dumps(section))
    counts = take_in(read_records(data, ingest), ingest, load_facet("text-classification", "examples")).counts
    limits = fit_limits(counts["splits"], values["validate"])
    fitted = add_entry(params, "tasks", render_guess(name, file, guess, encoder=encoder, limits=limits))
    return FittedTask(name, fitted, guess, counts, limits)


def describe_project(folder: Path, task: FittedTask | None, edits: Sequence[str] = ()) -> str:
    """Return what was made, what was found in the data, and the next step; `edits` are files left as committed."""
    left = [f"  Taken as last committed, without your edits: {listed(edits)}. Commit, then `update`."] if edits else []
    if task is None:
        text = f"{folder} holds the pipeline without a task. Add one at the end of {folder / 'params.yaml'}."
        return "\n".join([text, *left])
    guess, counts = task.guess, task.counts
    splits = ", ".join(f"{split} {count(sum(classes.values()))}" for split, classes in counts["splits"].items())
    lines = [
        f"{folder} holds the pipeline and the task {task.name}:",
        f"  text {guess.text!r}, label {guess.label!r}",
        f"  {count(counts['rows'])} rows, {count(counts['kept'])} kept: {splits}",
        *_describe_dropped(counts["dropped"]),
        f"  {'classes' if guess.labels else 'two sides of a number'}: "
        + ", ".join(f"{label} {count(rows)}" for label, rows in guess.counts.items()),
        *(f"  {remark}" for remark in list_doubts(guess, task.limits)),
        *left,
        f"Check the task at the end of {folder / 'params.yaml'}; then: cd {folder} && make repro",
    ]
    return "\n".join(lines)


def _describe_dropped(dropped: Mapping[str, int]) -> list[str]:
    """Return the line that tells what intake drops, if it drops anything; a task's doubts tell of labels."""
    kinds = [f"{_REASONS[reason]} {count(rows)}" for reason, rows in dropped.items() if rows and reason in _REASONS]
    return [f"  dropped: {', '.join(kinds)}"] if kinds else []


def limits_of(ingest: Document) -> Limits:
    """Return the limits that the section `ingest` sets."""
    cell = ingest["max_cell_bytes"]
    return Limits(file=ingest["max_file_bytes"], line=LineCap(_CELLS_OF_A_LINE * cell, "max_cell_bytes"), cell=cell)


def _start_repository(root: Path, version: Version) -> None:
    """Make a Git repository that begins at the version, and a DVC repository in it."""
    read_output(["git", "init", "--quiet", "--initial-branch", "main"], cwd=root)
    commit = commit_version(root, version)
    read_output(["git", "checkout", "--quiet", "-B", "main", str(commit)], cwd=root)
    _run_dvc(root, "init", "--quiet")
    (root / ".dvc/config").write_text(_DVC_CONFIG, encoding="utf-8")


def _add_data(root: Path, data: Path, task: FittedTask) -> None:
    """Copy the data to data/raw/TASK, and have DVC keep them."""
    folder = root / "data/raw" / task.name
    files = task.guess.files
    names = [data.name] if files is None else [name for name, _ in expand_files(data, files)]
    for name in names:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(data if files is None else data / name, target)
    _run_dvc(root, "add", "--quiet", str((folder if files else folder / names[0]).relative_to(root)))


def _run_dvc(root: Path, *words: str) -> None:
    read_output([sys.executable, "-m", "dvc", *words], cwd=root, env={"DVC_NO_ANALYTICS": "1"})
