"""The commands that people type, besides the stages."""

import html
import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline.checks.drift import set_reference
from pipeline.core.command_line import Parser
from pipeline.core.errors import REPRODUCE, EnvironmentFault, UsageError
from pipeline.core.files import publish, read_json, read_utf8, write_json
from pipeline.diff.comment import render_comment
from pipeline.diff.document import MOST_BYTES, read_difference
from pipeline.flow.commands import down_command, plan_command, run_command, serve_command
from pipeline.report.readme import draw_stages, first_table, replace_part
from pipeline.settings.overlay import overlay_project
from pipeline.settings.resolve import resolve_params

FINDINGS, PROFILES = Path("data/findings"), Path("data/profiles.json")
RESTORE = f"Run `git checkout -- {PROFILES}` to restore it."
README, SUMMARY, PAGE = Path("README.md"), Path("data/report.md"), Path("data/report.html")


def accept_profiles(tasks: Sequence[str]) -> None:
    """Make the present profile of each task its reference for later drift.

    Raises:
        UsageError: No task is named.
        EnvironmentFault: A task has no findings yet.
    """
    if not tasks:
        raise UsageError("no task. Run `python -m pipeline accept TASK ...`.")
    profiles = read_json(PROFILES, fix=RESTORE)
    for task in tasks:
        profiles = set_reference(profiles, task, read_json(FINDINGS / f"{task}.json")["profile"])
    write_json(PROFILES, profiles)
    print(f"{PROFILES} now holds the profile of {', '.join(tasks)}; commit it.")


def update_readme(arguments: Sequence[str]) -> None:
    """Rewrite the README's picture from DVC's graph of the stages, and its table from the report.

    Raises:
        UsageError: There are arguments, no report yet, or a part of the README is missing.
        EnvironmentFault: There is no DVC repository, or no README.
    """
    if arguments:
        raise UsageError("takes no arguments. Run `python -m pipeline readme`.")
    needs = importlib.import_module("pipeline.repository.graph").stage_needs()  # no other command waits for DVC
    text = replace_part(read_utf8(README), "picture", f"```mermaid\n{draw_stages(needs)}\n```")
    text = replace_part(text, "results", first_table(_read_report()))
    with publish(README) as partial:
        partial.write_text(text, encoding="utf-8")


def print_results(arguments: Sequence[str]) -> None:
    """Print the results table of the last run, and the path of the whole report.

    Raises:
        UsageError: There are arguments, or no report yet.
    """
    if arguments:
        raise UsageError("takes no arguments. Run `python -m pipeline results`.")
    table = html.unescape(first_table(_read_report()))  # a terminal shows no Markdown
    print(f"{table}\n\nThe whole report: {PAGE.resolve()}")


def diff_revisions(arguments: Sequence[str]) -> None:
    """Compare two revisions; the modules that read them are imported here, so that no other command waits for them.

    Raises:
        UsageError: An argument, a revision or the params of the newer revision are wrong.
        Regression: A gate fails.
    """
    importlib.import_module("pipeline.diff.command").print_difference(arguments)


def print_comment(arguments: Sequence[str]) -> None:
    """Print a document of `diff --json`, from a possibly untrusted run, as the Markdown of a comment.

    Raises:
        UsageError: The arguments are not one file.
        DataError: The file is too large, or not such a document.
        EnvironmentFault: The file cannot be read.
    """
    if len(arguments) != 1:
        raise UsageError("takes one file, the output of `diff --json`. Run `python -m pipeline comment FILE`.")
    try:
        with Path(arguments[0]).open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise EnvironmentFault(f"{arguments[0]}: could not be read, {error}. Correct the path.") from error
    sys.stdout.write(render_comment(read_difference(content)))


def overlay_settings(arguments: Sequence[str]) -> None:
    """Lay a profile, a folder, over params.yaml and dvc.yaml; with `--against`, except where two params.yaml differ.

    Raises:
        UsageError: The arguments are wrong, a file is not YAML, or the new params are not valid.
        EnvironmentFault: A file cannot be read.
    """
    parser = Parser(prog="python -m pipeline overlay", description="Lay a profile over params.yaml and dvc.yaml.")
    parser.add_argument("profile", type=Path, help="a folder with params.yaml, dvc.yaml or both")
    parser.add_argument(
        "--against", type=Path, metavar="PATH", help="the params.yaml of another revision; keep what differs from it"
    )
    words = parser.parse_args(arguments)
    profiles = read_json(PROFILES, fix=RESTORE)
    changed = overlay_project(Path(), words.profile, lambda text: resolve_params(text, profiles), words.against)
    print(f"{' and '.join(map(str, changed))} now hold {words.profile}; `git diff` shows it.")


def init_command(words: Sequence[str]) -> None:
    """Make a project of one's own.

    Raises:
        UsageError: An argument is wrong, the folder is not empty, or a column is not clear.
        DataError: The data break their format.
        EnvironmentFault: git or DVC failed.
    """
    parser = Parser(prog="python -m pipeline init", description="Make a project of your own that holds the pipeline.")
    parser.add_argument("folder", type=Path, help="a new or empty folder")
    parser.add_argument(
        "--file", type=Path, help="CSV, TSV, JSON Lines or Parquet, or a folder like a dataset of the Hub"
    )
    parser.add_argument("--text", metavar="COLUMN", help="column of the texts, if it is not clear")
    parser.add_argument("--label", metavar="COLUMN", help="column of the labels, if it is not clear")
    given = parser.parse_args(words)
    init = importlib.import_module("pipeline.project.init")
    ask = importlib.import_module("pipeline.project.question").ask_terminal if sys.stdin.isatty() else None
    task = init.init_project(given.folder, given.file, text=given.text, label=given.label, ask=ask)
    print(init.describe_project(given.folder, task))


def update_command(words: Sequence[str]) -> int:
    """Merge another version of the pipeline into the project; return 1 if Git has left conflicts.

    Raises:
        UsageError: An argument is wrong, changes are not committed, or there is no such version.
        EnvironmentFault: Git failed.
    """
    parser = Parser(prog="python -m pipeline update", description="Merge another version of the pipeline.")
    parser.add_argument("source", help="a clone of Transferline, or a URL that Git clones")
    parser.add_argument("revision", nargs="?", default="HEAD", help="a branch or tag of it (default: HEAD)")
    given = parser.parse_args(words)
    code, text = importlib.import_module("pipeline.project.update").update_project(given.source, given.revision)
    print(text)
    return int(code)


def pin_command(words: Sequence[str]) -> None:
    """Add a repository of the Hub to the sources of params.yaml.

    Raises:
        UsageError: An argument is wrong, or there is no such repository, revision or file.
        EnvironmentFault: The hub could not be reached, or params.yaml not be read.
    """
    parser = Parser(prog="python -m pipeline pin", description="Add a model or dataset of the Hub to params.yaml.")
    parser.add_argument("id", metavar="OWNER/NAME")
    parser.add_argument("--revision", default="main", help="a branch, tag or commit (default: main)")
    parser.add_argument("--type", choices=("model", "dataset"), default="model", help="default: model")
    given = parser.parse_args(words)
    pin_source = importlib.import_module("pipeline.project.pin").pin_source
    print(pin_source(given.id, revision=given.revision, kind=given.type))


def _read_report() -> str:
    if not SUMMARY.is_file():
        raise UsageError(f"report not found: {SUMMARY}. {REPRODUCE}")
    return read_utf8(SUMMARY)


# A command may return an exit code; None is 0.
COMMANDS: dict[str, Callable[[Sequence[str]], int | None]] = {
    "accept": accept_profiles,
    "comment": print_comment,
    "diff": diff_revisions,
    "down": down_command,
    "init": init_command,
    "overlay": overlay_settings,
    "pin": pin_command,
    "plan": plan_command,
    "readme": update_readme,
    "results": print_results,
    "run": run_command,
    "serve": serve_command,
    "update": update_command,
}
