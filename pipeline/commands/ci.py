"""The commands that CI calls: `comment`, `overlay` and `readme`."""

import importlib
import sys
from pathlib import Path

import click

from pipeline.commands.group import CommandGroup
from pipeline.commands.look import read_report
from pipeline.commands.project import PROFILES, RESTORE
from pipeline.core.command_line import PATH
from pipeline.core.errors import EnvironmentFault
from pipeline.core.files import publish, read_json, read_utf8

CI = CommandGroup("For CI")
SETTINGS, README = Path("params.yaml"), Path("README.md")


@CI.command()
@click.argument("file", type=PATH)
def comment_command(file: Path) -> None:
    """Print FILE, the output of `diff --json`, as a comment in Markdown.

    FILE may come from an untrusted run.

    Raises:
        DataError: The file is too large, or not such a document.
        EnvironmentFault: The file cannot be read.
    """
    render_comment = importlib.import_module("pipeline.diff.comment").render_comment
    document = importlib.import_module("pipeline.diff.document")
    try:
        with file.open("rb") as stream:
            content = stream.read(document.MOST_BYTES + 1)
    except OSError as error:
        raise EnvironmentFault(f"{file}: could not be read, {error}. Correct the path.") from error
    sys.stdout.write(render_comment(document.read_difference(content)))


@CI.command()
@click.argument("small", type=PATH)
@click.argument("other", type=PATH)
def overlay_command(small: Path, other: Path) -> None:
    """Lay SMALL over params.yaml, except where it differs from OTHER.

    SMALL is the YAML of a small profile, and OTHER the params.yaml of the revision compared with.

    Raises:
        UsageError: The new params are not valid.
        EnvironmentFault: A file cannot be read.
    """
    overlay_params = importlib.import_module("pipeline.settings.overlay").overlay_params
    text: str = overlay_params(*map(read_utf8, (SETTINGS, small, other)))
    importlib.import_module("pipeline.settings.resolve").resolve_params(text, read_json(PROFILES, fix=RESTORE))
    with publish(SETTINGS) as partial:
        partial.write_text(text, encoding="utf-8")
    print(f"{SETTINGS} now holds the small profile of {small}; its results are not those of the full run.")


@CI.command()
def readme_command() -> None:
    """Rewrite the README's picture of the stages and its results.

    Raises:
        UsageError: There is no report yet, or a part of the README is missing.
        EnvironmentFault: There is no DVC repository, or no README.
    """
    parts = importlib.import_module("pipeline.report.readme")
    needs = importlib.import_module("pipeline.repository.graph").stage_needs()
    text = parts.replace_part(read_utf8(README), "picture", f"```mermaid\n{parts.draw_stages(needs)}\n```")
    text = parts.replace_part(text, "results", parts.first_table(read_report()))
    with publish(README) as partial:
        partial.write_text(text, encoding="utf-8")
