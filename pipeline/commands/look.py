"""The commands that look and change nothing: `plan`, `results` and `diff`."""

import html
import importlib
from pathlib import Path

import click

from pipeline.commands.group import CommandGroup, targets_argument
from pipeline.core.errors import REPRODUCE, UsageError
from pipeline.core.files import read_utf8

LOOK = CommandGroup("Look")
SUMMARY, PAGE = Path("data/report.md"), Path("data/report.html")


@LOOK.command()
@targets_argument
@click.option("--json", "form", flag_value="json", help="All stages as JSON.")
@click.option("--md", "form", flag_value="md", help="The affected stages as Markdown.")
def plan_command(targets: tuple[str, ...], form: str | None) -> int:
    """Print what a run would do, and why.

    A TARGET is a stage, with all stages it depends on (default: everything). The exit code is 1 if there is work to do.
    """
    code: int = importlib.import_module("pipeline.flow.commands").print_plan(targets, form or "text")
    return code


@LOOK.command()
def results_command() -> None:
    """Print the results of the last run and the path of the report.

    Raises:
        UsageError: There is no report yet.
    """
    first_table = importlib.import_module("pipeline.report.readme").first_table
    table = html.unescape(first_table(read_report()))  # a terminal shows no Markdown
    print(f"{table}\n\nThe whole report: {PAGE.resolve() if PAGE.is_file() else f'not here. {REPRODUCE}'}")


@LOOK.command()
@click.argument("base")
@click.argument("head", required=False)
@click.option("--json", "as_json", is_flag=True, help="The strict document behind the Markdown.")
def diff_command(base: str, head: str | None, as_json: bool) -> None:
    """Judge the metrics of HEAD against those of BASE.

    Both are revisions: a branch, a tag, a commit. HEAD is the working tree if left out. The exit code is 1 if a gate
    fails, and 5 if the results of a revision are not those of its code, parameters and data.
    """
    importlib.import_module("pipeline.diff.command").print_difference(base, head, as_json=as_json)


def read_report() -> str:
    """Return the report in Markdown.

    Raises:
        UsageError: There is none yet.
        EnvironmentFault: It cannot be read.
    """
    if not SUMMARY.is_file():
        raise UsageError(f"report not found: {SUMMARY}. {REPRODUCE}")
    return read_utf8(SUMMARY)
