"""The transfer study in its own clone, which shares DVC's cache, so cells that have run before are restored.

Its results go to study.json, and from there to study.md and the figures.
"""

import argparse
import datetime
import json
import statistics
import subprocess
import time
from pathlib import Path

from benchmarks.table import describe_machine
from pipeline.core.command import read_output
from pipeline.core.document import Document
from pipeline.core.files import publish, read_json, write_json
from pipeline.core.format import count, escape_markdown, markdown_table
from pipeline.core.stage import load_facets
from pipeline.flow.workspace import check_out_commit
from pipeline.report.charts.curves import draw_pretraining_curve
from pipeline.report.charts.study import draw_study
from pipeline.report.study import study_markdown
from pipeline.report.summary import encoders_table
from pipeline.repository.durations import read_durations
from pipeline.repository.plan import format_duration
from pipeline.settings.overlay import overlay_project
from pipeline.settings.resolve import resolve_params
from pipeline.settings.study import TransferParams, list_cells

BASE = (Path("profiles/pretraining"), Path("profiles/study"))
TEMPLATES = Path("pipeline/report/templates")
SHEETS = ("colours.css", "charts.css")  # of a figure outside of the page
ABOUT = """# The transfer study

`make study PROFILE={profile}`: every arm with every number of labels and every seed, each a DVC stage; cells that have
run before are restored. profiles/pretraining sets how encoders are trained, profiles/study the arms, profiles/{profile}
what differs here."""


def update_clone(root: Path, clone: Path) -> None:
    """Check out the commit of `root` in the clone, with the cache of `root`; dvc.lock of the clone stays.

    Raises:
        SystemExit: A file that Git keeps differs from the commit, so nobody could tell what was run.
    """
    if read_output(["git", "status", "--porcelain", "--untracked-files=no"], cwd=root):
        raise SystemExit("some files differ from the last commit, and what is run is a commit. Commit them.")
    lock = clone / "dvc.lock"
    kept = lock.read_bytes() if lock.is_file() else None
    check_out_commit(str(root.resolve()), clone)
    if kept is not None:
        lock.write_bytes(kept)


def lay_profiles(clone: Path, *profiles: Path) -> None:
    """Lay profiles over a clone, one after the other; one that is named twice is laid once.

    Raises:
        UsageError: The params are not valid with it.
        EnvironmentFault: A file cannot be read.
    """
    references = read_json(clone / "data/profiles.json")
    for folder in dict.fromkeys(profiles):
        overlay_project(clone, folder, lambda text: resolve_params(text, load_facets("settings"), references))


def reproduce(clone: Path, target: str) -> None:
    """Run what is missing of a stage and of all that it depends on; each stage records its duration.

    Raises:
        CalledProcessError: A stage failed; finished ones are kept.
    """
    subprocess.run(["dvc", "repro", target], cwd=clone, check=True)


def collect(clone: Path, made: str, profile: str) -> Document:
    """Return the results of the study by `profile`, a name, and the histories of its own encoders.

    The seconds of a cell are the median over its seeds, None if none was timed.
    """
    params = TransferParams.model_validate_json(json.dumps(read_json(clone / "data/params.json")["transfer"]))
    timed = read_durations(clone)
    seconds: dict[tuple[str, str, int | str], list[float]] = {}
    for name, cell in list_cells(params, params.arms):
        stage = f"{'study' if cell.arm in params.encoders else 'rival'}@{name}"
        seconds.setdefault((cell.task, cell.arm, cell.labels), []).extend([timed[stage]] if stage in timed else [])
    results = read_json(clone / "data/transfer.json")
    for task in results["tasks"]:
        for arm in task["arms"]:
            for point in arm["points"]:
                took = seconds[task["task"], arm["arm"], point["labels"]]
                point["seconds"] = round(statistics.median(took), 1) if took else None
    used = sorted({folder.removeprefix("encoder/") for folder in params.encoders.values() if "encoder/" in folder})
    encoders = [read_json(clone / f"data/pretraining/{name}.json") for name in used]
    return {"made": made, "profile": profile, **results, "encoders": encoders}


def render_page(study: Document) -> str:
    """Return the study as Markdown, from its document alone."""
    figures = [
        f"![Accuracy on {escape_markdown(task['task'])} by labels]({_figure(study, task)})" for task in study["tasks"]
    ]
    costs = [_costs(task) for task in study["tasks"]]
    curves = [
        f"![Held-out perplexity of {escape_markdown(encoder['encoder'])} by step]({_curve(encoder)})"
        for encoder in study["encoders"]
    ]
    last = [encoders_table(study["encoders"]), *curves]
    about = ABOUT.format(profile=escape_markdown(study["profile"]))
    parts = [about, escape_markdown(study["made"]), *figures, study_markdown(study), *costs, *last]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def render_figures(study: Document) -> dict[str, str]:
    """Return the figure of each task and each encoder, as SVG by file name."""
    figures = {_figure(study, task): draw_study(task) for task in study["tasks"]}
    curves = {_curve(encoder): draw_pretraining_curve(encoder) for encoder in study["encoders"]}
    return {name: standalone_svg(chart) for name, chart in {**figures, **curves}.items()}


def standalone_svg(chart: str) -> str:
    """Return a chart of the page as the text of a self-contained SVG file."""
    sheets = "".join((TEMPLATES / name).read_text(encoding="utf-8") for name in SHEETS).rstrip()
    head, _, rest = str(chart).partition(">")
    opening = head.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    return f'{opening}><style>{sheets}</style><rect class="ground" width="100%" height="100%"/>{rest}\n'


def write_documents(docs: Path, study: Document) -> None:
    """Write study.json, and the page and figures made from it."""
    write_json(docs / "study.json", study)
    for name, text in {"study.md": render_page(study), **render_figures(study)}.items():
        with publish(docs / name) as partial:
            partial.write_text(text, encoding="utf-8")


def _figure(study: Document, task: Document) -> str:
    return "study.svg" if task is study["tasks"][0] else f"study-{task['task']}.svg"


def _curve(encoder: Document) -> str:
    return f"study-encoder-{encoder['encoder']}.svg"


def _costs(task: Document) -> str:
    """Return the duration of a cell, from start to end of its process, and the tokens of its training, as a table."""
    head = [count(point["train"]) for point in task["arms"][0]["points"]]
    rows = [(escape_markdown(arm["title"]), *(_cost(point) for point in arm["points"])) for arm in task["arms"]]
    table = markdown_table(("Duration with labels", *head), rows, right=range(1, len(head) + 1))
    return f"## Cost of a cell of {escape_markdown(task['task'])}\n\n{table}\nIn brackets: the tokens of its training."


def _cost(point: Document) -> str:
    took = "–" if point["seconds"] is None else format_duration(point["seconds"])
    return f"{took} ({count(point['tokens'])})" if point["tokens"] else took


def main() -> None:
    """Run the study and write its documents."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("profile", type=Path, help="a folder that is laid over profiles/pretraining and profiles/study")
    parser.add_argument("--clone", type=Path, default=Path(".study"), help="the folder it runs in")
    parser.add_argument("--docs", type=Path, help="where its documents go, unless into the clone's docs")
    arguments = parser.parse_args()
    clone, docs = arguments.clone, arguments.docs or arguments.clone / "docs"
    update_clone(Path.cwd(), clone)
    lay_profiles(clone, *BASE, arguments.profile)
    start = time.monotonic()
    reproduce(clone, "transfer")
    made = f"{datetime.datetime.now(tz=datetime.UTC).date()}, {describe_machine()}"
    write_documents(docs, collect(clone, made, arguments.profile.name))
    print(f"the study took {format_duration(time.monotonic() - start)}; its results: {docs / 'study.md'}")


if __name__ == "__main__":
    main()
