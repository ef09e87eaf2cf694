"""The command behind which a finished model works: `answer`."""

import importlib
from pathlib import Path

import click

from pipeline.commands.group import CommandGroup

SERVE = CommandGroup("Serve")


@SERVE.command()
@click.argument("models", nargs=-1, required=True, metavar="TASK...")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 is every one.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    help="File of the token that requests must bring (default: none).",
)
@click.option(
    "--backend", type=click.Choice(["auto", "fp32", "int8", "torch"]), default="auto", show_default=True,
    help="What computes; auto is what the bundle says, and torch for a model folder.",
)  # fmt: skip
@click.option(
    "--max-wait", type=click.FloatRange(0, min_open=True), default=5.0, show_default=True,
    help="Seconds; a request that would wait longer gets 503.",
)  # fmt: skip
@click.option(
    "--timeout", type=click.FloatRange(0, 600, min_open=True), default=30.0, show_default=True,
    help="Seconds; a request that takes longer gets 504.",
)  # fmt: skip
@click.option(
    "--linger", type=click.FloatRange(0), default=2.0, show_default=True,
    help="Seconds after SIGTERM in which requests still come, until balancers know.",
)  # fmt: skip
@click.option("--reload", is_flag=True, help="Load a model anew when its folder changes.")
def answer_command(
    models: tuple[str, ...], host: str, port: int, token_file: Path | None, backend: str, max_wait: float,
    timeout: float, linger: float, reload: bool,
) -> None:  # fmt: skip
    """Answer HTTP requests with the labels of texts.

    A TASK is its name, for `data/export/TASK`, or `data/model/TASK` if that is missing, or the path of such a folder.
    The page at / tries a model; /docs is the interface.
    """
    server = importlib.import_module("pipeline.answer.server")
    service = importlib.import_module("pipeline.answer.service")
    place = server.Place(host, port, token_file)
    patience = service.Patience(max_wait, timeout, linger)
    server.answer_requests([server.find_folder(model) for model in models], backend, place, patience, reload=reload)
