"""The command line of a stage, made from its declaration, and the running of every command line by click."""

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from pipeline.core.errors import REPRODUCE, EnvironmentFault, UsageError
from pipeline.core.files import read_json
from pipeline.core.guard import end_with_parent, lock_outputs
from pipeline.core.stage import Declaration, bind_facets, load, read_declaration, stage_params

PATH = click.Path(path_type=Path)
HELP = {"help_option_names": ["-h", "--help"]}


class Command(click.Command):
    """A command whose help is its docstring without the section `Raises:`, which is for those who call it in Python."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """Write the help without that section."""
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(inspect.cleandoc(self.help or "").partition("\n\nRaises:")[0])


def run_words(command: click.Command, program: str, words: Sequence[str]) -> int:
    """Run a command with words as its arguments and return its exit code: what it returns, 0 for None or `--help`.

    Raises:
        UsageError: An argument is missing, unknown or of the wrong type.
    """
    try:
        with command.make_context(program, list(words)) as context:
            return command.invoke(context) or 0
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.Abort:  # a question was answered by Ctrl-C
        raise KeyboardInterrupt from None
    except click.UsageError as error:
        message = error.format_message()
        path = error.ctx.command_path if error.ctx else program
        raise UsageError(f"{message[:1].lower()}{message[1:]} Run `{path} --help`.") from error


def run_stage(stage: str, arguments: Sequence[str]) -> None:
    """Run one stage from its arguments: `[NAME] [--params PATH] --NAME PATH ...`.

    Raises:
        UsageError: An argument is missing or unknown.
        EnvironmentFault: An input does not exist.
        Busy: Another process is writing one of the outputs.
        Stopped: The process was asked to stop, or its parent died.
    """
    with end_with_parent(lambda: load(stage)) as run:
        run_words(_make_command(stage, run, read_declaration(run)), f"python -m pipeline {stage}", arguments)


def _make_command(stage: str, run: Callable[..., None], declaration: Declaration) -> Command:
    params: list[click.Parameter] = []
    if declaration.params is not None:
        params.append(click.Argument(["name"], required=False))  # the task, source, encoder, arm or cell
        params.append(click.Option(["--params"], type=PATH, required=True, help="the resolved params"))
    names = (*declaration.inputs, *declaration.outputs)
    params += [
        click.Option([f"--{name}", name], type=PATH, required=name not in declaration.optional) for name in names
    ]

    def run_declared(**words: Any) -> None:
        paths = {name: words[name] for name in names}
        for name in declaration.inputs:
            if paths[name] is not None and not paths[name].exists():
                raise EnvironmentFault(f"input --{name} not found: {paths[name]}. {REPRODUCE}")
        values, kind = {}, None
        if declaration.params is not None:
            params, kind = stage_params(read_json(words["params"]), stage, words["name"], declaration.params)
            values = {"params": params}
        with lock_outputs(paths[name] for name in declaration.outputs if paths[name] is not None):
            run(**values, **bind_facets(declaration, kind), **paths)

    return Command(stage, params=params, callback=run_declared, help=inspect.getdoc(run), context_settings=HELP)
