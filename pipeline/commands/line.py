"""The line `python -m pipeline WORD ...`: the commands by group, then the stages."""

import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from click.shell_completion import shell_complete

from pipeline.commands.ci import CI
from pipeline.commands.look import LOOK
from pipeline.commands.production import PRODUCTION
from pipeline.commands.project import PROJECT
from pipeline.commands.run import RUN
from pipeline.commands.search import SEARCH
from pipeline.core.command_line import HELP, run_words
from pipeline.core.stage import STAGES

SCRIPT = "transferline"  # the console script of pyproject.toml
COMPLETE = "_TRANSFERLINE_COMPLETE"  # what click's scripts for shells set
PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
SHORT = 66  # letters of a command's help in the list: with its name, a line of 80


class CommandLine(click.CommandCollection):
    """The commands of all groups in their order, then its own: the stages, which dvc.yaml calls."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the words that may come first."""
        return [*(name for group in self.sources for name in group.commands), *self.commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its word, None only while a shell completes a line.

        Raises:
            NoSuchCommand: There is none; the error names those that are spelled alike.
        """
        command = super().get_command(ctx, cmd_name)
        if command is None and not ctx.resilient_parsing:
            message = f"No command or stage {cmd_name!r}."
            raise click.exceptions.NoSuchCommand(cmd_name, message, self.list_commands(ctx), ctx)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write one line a command, under the name of its group, and the stages in one paragraph."""
        width = max(len(name) for group in self.sources for name in group.commands)
        for group in self.sources:
            with formatter.section(str(group.name)):
                formatter.write_dl(
                    [(name.ljust(width), command.get_short_help_str(SHORT)) for name, command in group.commands.items()]
                )
        with formatter.section("Stages, as dvc.yaml calls them"):
            formatter.write_text(", ".join(self.commands))


def answer(words: Sequence[str]) -> int:
    """Run the command that the first word names, or complete the line of a shell; return the exit code.

    Raises:
        UsageError: There is no such command, or an argument is wrong.
        PipelineError: What the command raises.
    """
    if instruction := os.environ.get(COMPLETE):
        return shell_complete(COMMANDS, {}, SCRIPT, COMPLETE, instruction)
    program = SCRIPT if Path(sys.argv[0]).name == SCRIPT else "python -m pipeline"
    return run_words(COMMANDS, program, words)


def _print_version(ctx: click.Context, _option: click.Parameter, asked: bool) -> None:
    if asked:
        project = importlib.import_module("tomllib").loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
        click.echo(project["version"])
        ctx.exit()


COMMANDS = CommandLine(
    sources=[RUN, PRODUCTION, LOOK, SEARCH, PROJECT, CI],
    commands=[click.Command(stage) for stage in STAGES],  # for help and completion: `__main__` runs them
    params=[
        click.Option(
            ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_print_version,
            help="Show the version and exit.",
        )
    ],
    help="Labelled text in, a fine-tuned, evaluated, versioned transformer out.",
    epilog=f'\b\nCompletion in bash (zsh and fish likewise):\n  eval "$({COMPLETE}=bash_source {SCRIPT})"',
    context_settings=HELP,
)  # fmt: skip
