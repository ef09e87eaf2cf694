"""The command that answers a whole file: `predict`."""

import importlib
from pathlib import Path

import click

from pipeline.commands.group import CommandGroup
from pipeline.core.command_line import PATH

PREDICT = CommandGroup("Predict")
FORMATS = ["csv", "tsv", "jsonl", "parquet", "text"]


@PREDICT.command()
@click.argument("model", metavar="TASK")
@click.argument("file", metavar="FILE")
@click.option("--out", type=PATH, required=True, help="Answers: .csv, .jsonl or .parquet, the first two also .gz.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "tsv", "jsonl", "parquet", "text"]),
    help="Of FILE, if its name tells none.",
)
@click.option("--text", "columns", multiple=True, metavar="COLUMN", help="Column of the texts (default: the task's).")
@click.option("--backend", type=click.Choice(["auto", "fp32", "int8", "torch"]), default="auto", show_default=True)
@click.option("--threads", type=click.IntRange(0, 1024), default=0, help="Threads that compute (default: one a core).")
@click.option("--all", "every", is_flag=True, help="Write the probability of each class too.")
@click.option("--strict", is_flag=True, help="Exit with 3 if rows are rejected; answers are written still.")
def predict_command(
    model: str,
    file: str,
    out: Path,
    form: str | None,
    columns: tuple[str, ...],
    backend: str,
    threads: int,
    every: bool,
    strict: bool,
) -> None:
    """Answer each text of a file.

    TASK is a task of the project, or the folder of a bundle or a model. FILE is read as the task's own file, without
    labels; - is standard input, JSON Lines or one text a line. Rows without a text go to OUT.rejected.jsonl. Run again
    after an interruption: what is done is kept.

    Raises:
        UsageError: There is no such model, backend or format.
        DataError: The file breaks its format, or, with --strict, rows are rejected.
        EnvironmentFault: A file cannot be read or written.
    """
    run = importlib.import_module("pipeline.predict.command").answer_file
    print(
        run(model, file, out, form=form, columns=columns, backend=backend, threads=threads, every=every, strict=strict)
    )
