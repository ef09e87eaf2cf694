"""The commands people type beside the stages."""

import html
import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline.checks.drift import accept as accepted
from pipeline.core.errors import EnvironmentFault, UsageError
from pipeline.core.files import publish, read_json, write_json
from pipeline.diff.comment import comment as markdown
from pipeline.diff.document import MOST_BYTES, read_difference
from pipeline.flow.commands import down, plan, run, serve
from pipeline.report.readme import collapse, overview, replaced
from pipeline.settings.overlay import overlaid
from pipeline.settings.resolve import resolve

SETTINGS = Path("params.yaml")
FINDINGS, PROFILES = Path("data/findings"), Path("data/profiles.json")
README, SUMMARY, PAGE = Path("README.md"), Path("data/report.md"), Path("data/report.html")


def accept(tasks: Sequence[str]) -> None:
    """Make the present profile of each task the reference that later drift is measured against.

    Raises:
        UsageError: No task is named.
        EnvironmentFault: A task has no findings yet.
    """
    if not tasks:
        raise UsageError("name the tasks: python -m pipeline accept TASK ...")
    profiles = read_json(PROFILES)
    for task in tasks:
        profiles = accepted(profiles, task, read_json(FINDINGS / f"{task}.json")["profile"])
    write_json(PROFILES, profiles)
    print(f"{PROFILES} now holds the profile of {', '.join(tasks)}; commit it.")


def readme(words: Sequence[str]) -> None:
    """Rewrite the README's picture from `dvc dag --mermaid` on standard input, and its table from the report.

    Raises:
        UsageError: Words are given, or a part is missing.
    """
    if words:
        raise UsageError("usage: dvc dag --mermaid | python -m pipeline readme")
    text = README.read_text(encoding="utf-8")
    text = replaced(text, "picture", f"```mermaid\n{collapse(sys.stdin.read())}\n```")
    text = replaced(text, "results", overview(SUMMARY.read_text(encoding="utf-8")))
    with publish(README) as partial:
        partial.write_text(text, encoding="utf-8")


def results(words: Sequence[str]) -> None:
    """Print the overview of the last run and where the whole report is.

    Raises:
        UsageError: Words are given, or there is no report yet.
    """
    if words or not SUMMARY.is_file():
        raise UsageError(f"it takes no words, and reads {SUMMARY}, which `dvc repro` makes")
    table = html.unescape(overview(SUMMARY.read_text(encoding="utf-8")))  # a terminal shows no Markdown
    print(f"{table}\n\nThe whole report: {PAGE.resolve()}")


def diff(words: Sequence[str]) -> None:
    """Compare two revisions; what reads them is imported when it is asked for, so that no other command waits for it.

    Raises:
        UsageError: A word, a revision or the head's params are wrong.
        Regression: A gate fails.
    """
    importlib.import_module("pipeline.diff.command").main(words)


def comment(words: Sequence[str]) -> None:
    """Print a document of `diff --json`, whoever made it, as the Markdown of a comment.

    Raises:
        UsageError: Not one file is named.
        DataError: It is too large or not such a document.
        EnvironmentFault: It cannot be read.
    """
    if len(words) != 1:
        raise UsageError("usage: python -m pipeline comment FILE   (a document of `python -m pipeline diff --json`)")
    try:
        with Path(words[0]).open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise EnvironmentFault(f"{words[0]} could not be read: {error}") from error
    sys.stdout.write(markdown(read_difference(content)))


def overlay(words: Sequence[str]) -> None:
    """Lay a small profile over params.yaml, but for what differs from the params of the revision compared with.

    Raises:
        UsageError: Not two files are named, or the params would not be valid.
        EnvironmentFault: A file cannot be read.
    """
    if len(words) != 2:
        raise UsageError(
            "usage: python -m pipeline overlay SMALL OTHER   (YAML; the params.yaml of the other revision)"
        )
    try:
        own, small, other = (Path(name).read_text(encoding="utf-8") for name in (str(SETTINGS), *words))
    except (OSError, UnicodeDecodeError) as error:
        raise EnvironmentFault(f"the overlay could not be read: {error}") from error
    text = overlaid(own, small, other)
    resolve(text, read_json(PROFILES))
    with publish(SETTINGS) as partial:
        partial.write_text(text, encoding="utf-8")
    print(f"{SETTINGS} is now that of the small profile of {words[0]}; its numbers are not those of the full run.")


# A command may return an exit code; None is 0.
COMMANDS: dict[str, Callable[[Sequence[str]], int | None]] = {
    "accept": accept,
    "comment": comment,
    "diff": diff,
    "down": down,
    "overlay": overlay,
    "plan": plan,
    "readme": readme,
    "results": results,
    "run": run,
    "serve": serve,
}
