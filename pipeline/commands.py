"""The commands that people type, besides the stages."""

import html
import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline.checks.drift import set_reference
from pipeline.core.errors import REPRODUCE, EnvironmentFault, UsageError
from pipeline.core.files import publish, read_json, write_json
from pipeline.diff.comment import render_comment
from pipeline.diff.document import MOST_BYTES, read_difference
from pipeline.flow.commands import down_command, plan_command, run_command, serve_command
from pipeline.report.picture import draw_stages
from pipeline.report.readme import first_table, replace_part
from pipeline.settings.overlay import overlay_params
from pipeline.settings.resolve import resolve_params

SETTINGS = Path("params.yaml")
FINDINGS, PROFILES = Path("data/findings"), Path("data/profiles.json")
RESTORE = f"Run `git checkout -- {PROFILES}` to restore it."
README, PICTURE = Path("README.md"), Path("docs/stages.svg")
SUMMARY, PAGE = Path("data/report.md"), Path("data/report.html")


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
    """Rewrite the README's table from the report, and the picture of the stages from DVC's graph.

    Raises:
        UsageError: There are arguments, no report yet, or a part of the README is missing.
        EnvironmentFault: There is no DVC repository, or no README.
    """
    if arguments:
        raise UsageError("takes no arguments. Run `python -m pipeline readme`.")
    needs = importlib.import_module("pipeline.repository.graph").stage_needs()  # no other command waits for DVC
    table = replace_part(_read_text(README), "results", first_table(_read_report()))
    for path, text in {PICTURE: draw_stages(needs), README: table}.items():
        with publish(path) as partial:
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
    """Lay a small profile over params.yaml, except where it differs from the params of the revision compared with.

    Raises:
        UsageError: The arguments are not two files, or the new params are not valid.
        EnvironmentFault: A file cannot be read.
    """
    if len(arguments) != 2:
        raise UsageError(
            "takes the YAML of a small profile and the params.yaml of the other revision. "
            "Run `python -m pipeline overlay SMALL OTHER`."
        )
    text = overlay_params(*(_read_text(path) for path in (SETTINGS, *map(Path, arguments))))
    resolve_params(text, read_json(PROFILES, fix=RESTORE))
    with publish(SETTINGS) as partial:
        partial.write_text(text, encoding="utf-8")
    print(f"{SETTINGS} now holds the small profile of {arguments[0]}; its results are not those of the full run.")


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EnvironmentFault(f"{path}: could not be read, {error}. Correct the path or the file.") from error


def _read_report() -> str:
    if not SUMMARY.is_file():
        raise UsageError(f"report not found: {SUMMARY}. {REPRODUCE}")
    return _read_text(SUMMARY)


# A command may return an exit code; None is 0.
COMMANDS: dict[str, Callable[[Sequence[str]], int | None]] = {
    "accept": accept_profiles,
    "comment": print_comment,
    "diff": diff_revisions,
    "down": down_command,
    "overlay": overlay_settings,
    "plan": plan_command,
    "readme": update_readme,
    "results": print_results,
    "run": run_command,
    "serve": serve_command,
}
