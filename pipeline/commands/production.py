"""The commands for a model in production: `predict`, `answer`, `watch` and `publish`."""

import importlib
from pathlib import Path

import click

from pipeline.commands.group import CommandGroup
from pipeline.core.command_line import PATH

PRODUCTION = CommandGroup("In production")
FORMATS = ["csv", "tsv", "jsonl", "parquet", "text"]
BACKENDS = ["auto", "fp32", "int8", "torch", "linear"]


@PRODUCTION.command()
@click.argument("model", metavar="TASK")
@click.argument("file", metavar="FILE")
@click.option("--out", type=PATH, required=True, help="Answers: .csv, .jsonl or .parquet, the first two also .gz.")
@click.option("--format", "form", type=click.Choice(FORMATS), help="Of FILE, if its name tells none.")
@click.option("--encoding", help="Of FILE, if it is not the task's: utf-8, cp1252, ...")
@click.option("--delimiter", metavar="CHARACTER", help="Between its cells, if it is not the task's.")
@click.option("--text", "columns", multiple=True, metavar="COLUMN", help="Column to read (default: the task's).")
@click.option("--backend", type=click.Choice(BACKENDS), default="auto", show_default=True)
@click.option("--threads", type=click.IntRange(0, 1024), default=0, help="Threads that compute (default: one a core).")
@click.option("--all", "every", is_flag=True, help="Write the probability of each class too.")
@click.option("--strict", is_flag=True, help="Exit with 3 if rows are rejected; answers are written still.")
def predict_command(
    model: str,
    file: str,
    out: Path,
    form: str | None,
    encoding: str | None,
    delimiter: str | None,
    columns: tuple[str, ...],
    backend: str,
    threads: int,
    every: bool,
    strict: bool,
) -> None:
    """Answer each row of a file.

    TASK is a task of the project, or the folder of a bundle or a model; --backend linear answers by the cheap baseline.
    FILE is read as the task's own file, without labels; - is standard input, JSON Lines or one text a line. Rows that
    have no answer go to OUT.rejected.jsonl. Run again after an interruption: what is done is kept.

    Raises:
        UsageError: There is no such model, backend, format or encoding, or FILE is UTF-8 and the task's file is not.
        DataError: The file breaks its format, or, with --strict, rows are rejected.
        EnvironmentFault: A file cannot be read or written.
    """
    run = importlib.import_module("pipeline.predict.command").answer_file
    print(
        run(
            model, file, out, form=form, encoding=encoding, delimiter=delimiter, columns=columns, backend=backend,
            threads=threads, every=every, strict=strict,
        )
    )  # fmt: skip


@PRODUCTION.command()
@click.argument("models", nargs=-1, required=True, metavar="TASK...")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 is every one.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    help="File of the token that requests must bring (default: none).",
)
@click.option(
    "--backend", type=click.Choice(BACKENDS), default="auto", show_default=True,
    help="What computes; auto is what the bundle says, and torch for a model folder; linear is the baseline.",
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
@click.option("--neighbours", is_flag=True, help="Show the nearest training texts on the page, to all who can open it.")
def answer_command(
    models: tuple[str, ...], host: str, port: int, token_file: Path | None, backend: str, max_wait: float,
    timeout: float, linger: float, reload: bool, neighbours: bool,
) -> None:  # fmt: skip
    """Answer HTTP requests by models.

    A TASK is its name, for `data/export/TASK`, or `data/model/TASK` if that is missing (with --backend linear for
    `data/linear/TASK`, the cheap baseline), or the path of such a folder. The page at / tries a model; /docs is the
    interface.
    """
    find_folder = importlib.import_module("pipeline.predict.command").find_folder
    server = importlib.import_module("pipeline.answer.server")
    service = importlib.import_module("pipeline.answer.service")
    endpoint = server.Endpoint(host, port, token_file)
    patience = service.Patience(max_wait, timeout, linger)
    server.answer_requests(
        [find_folder(model, backend=backend) for model in models], backend, endpoint, patience, reload=reload,
        neighbours=neighbours,
    )  # fmt: skip


@PRODUCTION.command()
@click.argument("task")
@click.option("--to", "target", required=True, metavar="TARGET", help="hub:OWNER/NAME, or the folder of a registry.")
@click.option("--send", is_flag=True, help="Publish it; without, nothing is sent.")
def publish_command(task: str, target: str, send: bool) -> None:
    """List what a published model would hold, and publish it.

    TARGET gets the model of TASK as the last commit records it: weights, tokenizer, card, metrics, provenance and, if
    there is one, the ONNX bundle. No text of the data goes. The exit code is 5 if the commit's results are not those of
    its code, parameters and data.

    Raises:
        UsageError: The commit has no results of the task, or the target is wrong.
        EnvironmentFault: A file, the registry or the hub failed.
        NotReproduced: The results are not those of the commit.
    """
    importlib.import_module("pipeline.publish.command").publish_model(task, target, send=send)


@PRODUCTION.command()
@click.argument("task")
@click.argument("file", type=PATH)
@click.option("--encoding", help="Of FILE, if it is not the task's: utf-8, cp1252, ...")
@click.option("--json", "as_json", is_flag=True, help="All numbers as JSON.")
@click.option("--against", metavar="REVISION", help="A commit, branch or tag: its model answers the file too.")
def watch_command(task: str, file: Path, encoding: str | None, as_json: bool, against: str | None) -> int:
    """Compare what came in with what the model was tested on.

    FILE is read as the file of TASK, or by its suffix. If it has the column of the labels, the metrics are measured
    too. The limits are those of `watch` in params.yaml; the exit code is 1 if one is exceeded. No text is printed.

    Raises:
        UsageError: There is no such task, model or revision, or FILE is UTF-8 and the task's file is not.
        DataError: The file breaks its format, or has too few new texts.
        EnvironmentFault: A file cannot be read.
    """
    code: int = importlib.import_module("pipeline.watch.command").print_watch(
        task, file, encoding=encoding, against=against, as_json=as_json
    )
    return code
