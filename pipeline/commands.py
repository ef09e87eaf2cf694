"""The commands people type beside the stages."""

import html
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.files import publish, read_json, write_json
from pipeline.profile import accept as accepted
from pipeline.readme import collapse, overview, replaced
from pipeline.run import plan, run

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


# A command may return an exit code; None is 0.
COMMANDS: dict[str, Callable[[Sequence[str]], int | None]] = {
    "accept": accept,
    "plan": plan,
    "readme": readme,
    "results": results,
    "run": run,
}
