"""The full transfer study, in a clone of its own that shares DVC's cache: only cells that nobody has run are run.

Its results go to docs/study.json, and from there to docs/study.md and docs/study.svg.
"""

import argparse
import datetime
import json
import re
import statistics
import subprocess
import time
from pathlib import Path

from benchmarks.table import machine
from pipeline.core.document import Document
from pipeline.core.files import publish, read_json, write_json
from pipeline.core.format import count, escape_markdown, markdown_table
from pipeline.report.charts.curves import pretraining
from pipeline.report.charts.study import standalone, transfer
from pipeline.report.study import markdown
from pipeline.report.summary import encoders_table
from pipeline.report.templates.style import CHART_CSS
from pipeline.repository.durations import add, lately
from pipeline.repository.plan import duration
from pipeline.settings.overlay import edited
from pipeline.settings.resolve import parse
from pipeline.settings.study import TransferParams, cells_of

RUNNING = re.compile(r"Running stage '(?P<stage>[^']+)'")
ABOUT = """# The transfer study

`python -m benchmarks.study`: every arm with every number of labels and every seed, each a DVC stage; only cells that
nobody has run are run. The page of `make repro` shows the same on fewer labels and seeds. How encoders and arms are
trained stands in the sections `encoders` and `study` of params.yaml and, where that differs here, in {profile}."""


def place(root: Path, clone: Path) -> None:
    """Bring the clone to the commit of `root`, with the cache of `root`; what ran in it before stays.

    Raises:
        SystemExit: A file that Git keeps differs from the commit, so that nobody could tell what was studied.
    """
    if _git(root, "status", "--porcelain", "--untracked-files=no"):
        raise SystemExit("some files differ from the last commit; commit them first, for the study is of a commit")
    if not (clone / ".git").is_dir():
        _git(root, "clone", "--quiet", "--no-checkout", ".", str(clone))
    _git(clone, "fetch", "--quiet", "origin", "HEAD")
    commit = _git(root, "rev-parse", "HEAD")
    lock = clone / "dvc.lock"
    mine = lock.read_bytes() if lock.is_file() else None
    _git(clone, "checkout", "--quiet", "--force", "--detach", commit)
    if mine is not None:
        lock.write_bytes(mine)
    subprocess.run(["dvc", "cache", "dir", "--local", str((root / ".dvc/cache").resolve())], cwd=clone, check=True)


def overlay(params: str, profile: str) -> str:
    """Return params.yaml with what the profile says in its place: maps are merged, all else replaced; comments stay.

    A map for which the profile has null is removed: so an arm leaves the study. Whether the values are allowed,
    `resolve` tells.

    Raises:
        UsageError: The profile is not YAML, or no map.
    """
    new = parse(profile)[0]
    return edited(params, lambda values: _merge(values, new))


def _merge(values: Document, profile: Document) -> None:
    """Put what the profile says into `values`, see `overlay`; what it does not name stays."""
    for key, new in profile.items():
        if isinstance(new, dict) and isinstance(values.get(key), dict):
            _merge(values[key], new)
        elif new is None and isinstance(values.get(key), dict):
            del values[key]
        else:
            values[key] = new


def reproduce(clone: Path) -> None:
    """Run what is missing of the study, show it, and note how long each stage took.

    Raises:
        CalledProcessError: A stage failed; the cells that ended are kept.
    """
    stage, start = "", time.monotonic()
    command = ["dvc", "repro", "transfer"]
    with subprocess.Popen(command, cwd=clone, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            found = RUNNING.search(line)
            if found or line.startswith(("Stage '", "Updating lock file")):
                if stage:
                    add(clone, stage, time.monotonic() - start)
                stage, start = found["stage"] if found else "", time.monotonic()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)


def collected(clone: Path, made: str, profile: str) -> Document:
    """Return what the study by `profile`, a path, found, and what its own encoders know of held-out documents.

    The seconds of a cell are the median over its seeds, None if none was timed.
    """
    params = TransferParams.model_validate_json(json.dumps(read_json(clone / "data/params.json")["transfer"]))
    timed = lately(clone)
    seconds: dict[tuple[str, str, int | str], list[float]] = {}
    for name, cell in cells_of(params, params.arms):
        stage = f"{'study' if cell.arm in params.encoders else 'rival'}@{name}"
        seconds.setdefault((cell.task, cell.arm, cell.labels), []).extend([timed[stage]] if stage in timed else [])
    found = read_json(clone / "data/transfer.json")
    for task in found["tasks"]:
        for arm in task["arms"]:
            for point in arm["points"]:
                took = seconds[task["task"], arm["arm"], point["labels"]]
                point["seconds"] = round(statistics.median(took), 1) if took else None
    used = sorted({folder.removeprefix("encoder/") for folder in params.encoders.values() if "encoder/" in folder})
    encoders = [read_json(clone / f"data/pretraining/{name}.json") for name in used]
    return {"made": made, "profile": profile, **found, "encoders": encoders}


def page(found: Document) -> str:
    """Return the study as Markdown, from its document alone."""
    figures = [
        f"![Accuracy on {escape_markdown(task['task'])} by labels]({_figure(found, task)})" for task in found["tasks"]
    ]
    costs = [_costs(task) for task in found["tasks"]]
    learned = [
        f"![Held-out perplexity of {escape_markdown(one['encoder'])} by step]({_curve(one)})"
        for one in found["encoders"]
    ]
    last = [encoders_table(found["encoders"]), *learned]
    about = ABOUT.format(profile=escape_markdown(found["profile"]))
    parts = [about, escape_markdown(found["made"]), *figures, markdown(found), *costs, *last]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def drawings(found: Document) -> dict[str, str]:
    """Return the figure of each task and each encoder by its file's name."""
    figures = {_figure(found, task): transfer(task) for task in found["tasks"]}
    curves = {_curve(one): pretraining(one) for one in found["encoders"]}
    return {name: standalone(drawn, CHART_CSS) for name, drawn in {**figures, **curves}.items()}


def write(docs: Path, found: Document) -> None:
    """Write study.json and what is made from it."""
    write_json(docs / "study.json", found)
    for name, text in {"study.md": page(found), **drawings(found)}.items():
        with publish(docs / name) as partial:
            partial.write_text(text, encoding="utf-8")


def _figure(found: Document, task: Document) -> str:
    return "study.svg" if task is found["tasks"][0] else f"study-{task['task']}.svg"


def _curve(encoder: Document) -> str:
    return f"study-encoder-{encoder['encoder']}.svg"


def _costs(task: Document) -> str:
    """Return what a cell takes, from start to end of its process, and the tokens that its training sees."""
    head = [count(point["train"]) for point in task["arms"][0]["points"]]
    rows = [(escape_markdown(arm["title"]), *(_cost(point) for point in arm["points"])) for arm in task["arms"]]
    table = markdown_table(("Time of a cell with labels", *head), rows, right=range(1, len(head) + 1))
    return f"## What a cell of {escape_markdown(task['task'])} takes\n\n{table}\nIn brackets: tokens that training saw."


def _cost(point: Document) -> str:
    took = "–" if point["seconds"] is None else duration(point["seconds"])
    return f"{took} ({count(point['tokens'])})" if point["tokens"] else took


def _git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    """Run the study and write its documents."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", type=Path, default=Path("benchmarks/study.yaml"), help="laid over params.yaml")
    parser.add_argument("--clone", type=Path, default=Path(".study"), help="the folder it runs in")
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="where its documents go")
    given = parser.parse_args()
    place(Path.cwd(), given.clone)
    params = given.clone / "params.yaml"
    params.write_text(
        overlay(params.read_text(encoding="utf-8"), given.profile.read_text(encoding="utf-8")), encoding="utf-8"
    )
    start = time.monotonic()
    reproduce(given.clone)
    print(f"the study took {duration(time.monotonic() - start)}")
    made = f"{datetime.datetime.now(tz=datetime.UTC).date()}, {machine()}"
    write(given.docs, collected(given.clone, made, given.profile.as_posix()))


if __name__ == "__main__":
    main()
