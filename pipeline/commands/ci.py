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
README, PICTURE = Path("README.md"), Path("docs/stages.svg")


@CI.command()
@click.argument("file", type=PATH)
def comment_command(file: Path) -> None:
    """Print FILE, the output of `diff --json`, as Markdown.

    It is a comment for a pull request. FILE may come from an untrusted run.

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
@click.argument("profile", type=PATH)
@click.option("--against", type=PATH, help="The params.yaml of another revision: what differs from it stays.")
def overlay_command(profile: Path, against: Path | None) -> None:
    """Lay PROFILE, a folder, over params.yaml and dvc.yaml.

    PROFILE holds a params.yaml, a dvc.yaml or both.

    Raises:
        UsageError: A file is not YAML, or the new params are not valid.
        EnvironmentFault: A file cannot be read.
    """
    overlay_project = importlib.import_module("pipeline.settings.overlay").overlay_project
    resolve_params = importlib.import_module("pipeline.settings.resolve").resolve_params
    profiles = read_json(PROFILES, fix=RESTORE)
    kinds = importlib.import_module("pipeline.core.stage").load_facets("settings")
    changed = overlay_project(Path(), profile, lambda text: resolve_params(text, kinds, profiles), against)
    print(f"laid {profile} over {' and '.join(map(str, changed))}; `git diff` shows it")


@CI.command()
def readme_command() -> None:
    """Rewrite the README's results and the picture of the stages.

    Raises:
        UsageError: There is no report yet, or a part of the README is missing.
        EnvironmentFault: There is no DVC repository, or no README.
    """
    needs = importlib.import_module("pipeline.repository.graph").stage_needs()
    parts = importlib.import_module("pipeline.report.readme")
    table = parts.replace_part(read_utf8(README), "results", parts.first_table(read_report()))
    picture = importlib.import_module("pipeline.report.picture").draw_stages(needs)
    for path, text in {PICTURE: picture, README: table}.items():
        with publish(path) as partial:
            partial.write_text(text, encoding="utf-8")
