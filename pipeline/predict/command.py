"""The command `predict` behind its line: the model found, the file opened, the outcome told."""

import json
import shutil
import sys
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import ValidationError

from pipeline.core.document import describe_mismatch
from pipeline.core.errors import REPRODUCE, DataError, EnvironmentFault, PipelineError, UsageError
from pipeline.core.files import read_json
from pipeline.core.stage import load_facet
from pipeline.linear.saved import LINEAR_MANIFEST, find_linear_kind
from pipeline.predict.bundle import MANIFEST, list_outdated
from pipeline.predict.job import JobOutcome, predict_file
from pipeline.predict.linear.predictor import find_linear_answers, open_predictor
from pipeline.predict.predictor import Backend, find_answers, find_kind
from pipeline.predict.texts import choose_source, override_layout, require_encoding
from pipeline.settings.ingest import IngestParams

BUNDLES, MODELS, _BASELINES = Path("data/export"), Path("data/model"), Path("data/linear")
_PARAMS = Path("data/params.json")
_KEPT = ((BUNDLES, MANIFEST), (MODELS, "config.json"), (_BASELINES, LINEAR_MANIFEST))  # what each kind of folder holds
_STDIN = "-"


def answer_file(
    model: str,
    file: str,
    out: Path,
    *,
    form: str | None,
    encoding: str | None,
    delimiter: str | None,
    columns: Sequence[str],
    backend: Backend,
    threads: int,
    every: bool,
    strict: bool,
) -> str:
    """Write the answers to the questions of a file, or of standard input (`-`); return what to say of them.

    Raises:
        UsageError: There is no such model, backend, format or encoding, or the file is not of the task's encoding.
        DataError: The file breaks its format, or `strict` and rows are rejected.
        EnvironmentFault: A file cannot be read or written.
    """
    folder = find_folder(model, backend=backend)
    is_linear = (folder / LINEAR_MANIFEST).is_file()
    kind = find_linear_kind(folder) if is_linear else find_kind(folder)
    ingest = _read_ingest(folder.name, kind)
    questions = (find_linear_answers if is_linear else find_answers)(folder).questions
    with _as_file(file) as (path, name):
        source = choose_source(name, ingest, form=form, columns=columns, questions=questions)
        source = override_layout(source, encoding=encoding, delimiter=delimiter)
        if encoding is None:
            require_encoding(path, source.layout)
        predictor = open_predictor(folder, backend=backend, threads=threads)
        outcome = predict_file(predictor, path, source, out, every=every)
    if strict and outcome.rejected:
        raise DataError(
            f"{_name(file)}: {outcome.rejected} row(s) cannot be predicted. Correct them; "
            f"{out.name}.rejected.jsonl says why."
        )
    return describe_outcome(outcome, out)


def find_folder(model: str, *, backend: Backend = "auto") -> Path:
    """Return the folder of a model: a task's bundle or, if it has none or torch is asked for, its model; else the path.

    `linear` asks for the linear baseline of a task.

    A bundle that was made of an earlier model than the task's is answered from, with a warning on standard error.

    Raises:
        UsageError: There is no such model.
    """
    skipped = {"linear": (BUNDLES, MODELS), "torch": (BUNDLES, _BASELINES)}.get(backend, (_BASELINES,))
    if len(Path(model).parts) == 1:
        for folder, kept in _KEPT:
            if (folder / model / kept).is_file() and folder not in skipped:
                if folder == BUNDLES:
                    _warn_of_outdated(model)
                return folder / model
    if any((Path(model) / kept).is_file() for _, kept in _KEPT):
        return Path(model)
    places = [(folder, kept) for folder, kept in _KEPT if folder not in skipped]
    known = sorted({path.parent.name for folder, kept in places for path in folder.glob(f"*/{kept}")})
    raise UsageError(
        f"{model}: no model, found {', '.join(known) or 'none'}. Name a task or a folder, or train it: {REPRODUCE}"
    )


def _warn_of_outdated(task: str) -> None:
    """Print a warning if the bundle of a task was made of another model than the task has now."""
    bundle, model = BUNDLES / task, MODELS / task
    if names := list_outdated(bundle, model):
        print(
            f"{bundle}: answers as the model did that it was made of, {model} has another ({', '.join(names)}). "
            f"Renew it by `dvc repro export@{task}`.",
            file=sys.stderr,
        )


def describe_outcome(outcome: JobOutcome, out: Path) -> str:
    """Return a job's numbers as lines of text."""
    lines = [f"{label}: {count}" for label, count in outcome.labels.items()]
    if outcome.unsure:
        lines.append(f"{outcome.unsure} of them unsure")
    if outcome.rejected:
        lines.append(f"{outcome.rejected} row(s) rejected, with the reason of each in {out}.rejected.jsonl")
    return "\n".join([f"{outcome.answered} answers in {out}", *lines])


def _read_ingest(task: str, kind: str) -> IngestParams | None:
    """Return how the task's own file is read, None outside a project that has it.

    Raises:
        EnvironmentFault: The project's params were resolved by another version, or the task there is of another kind.
    """
    resolved = read_json(_PARAMS) if _PARAMS.is_file() else {"ingest": {}}
    if task not in resolved["ingest"]:
        return None
    own = load_facet(kind, "settings").sections["ingest"]
    try:
        ingest: IngestParams = own.model_validate_json(json.dumps(resolved["ingest"][task]))
    except ValidationError as error:
        wrong = describe_mismatch(error, "ingest", task)
        raise EnvironmentFault(
            f"{_PARAMS}: not that of a task of the kind {kind} in this version, {wrong}. {REPRODUCE}"
        ) from error
    return ingest


def _name(file: str) -> str:
    return "standard input" if file == _STDIN else file


@contextmanager
def _as_file(file: str) -> Iterator[tuple[Path, str]]:
    """Yield the path of a file and a name that tells its format; standard input is copied, since it is read twice."""
    if file != _STDIN:
        yield Path(file), file
        return
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "input"
        _copy_input(copy)
        with copy.open("rb") as lines:
            first = next((text for line in lines if (text := line.removeprefix(BOM_UTF8).strip())), b"")
        try:
            yield copy, f"{_name(file)}.jsonl" if first.startswith(b"{") else f"{_name(file)}.txt"
        except PipelineError as error:  # it names the copy, which nobody knows
            error.args = (str(error).replace(str(copy), _name(file)),)
            raise


def _copy_input(copy: Path) -> None:
    """Copy standard input to a file.

    Raises:
        EnvironmentFault: There is no space.
    """
    try:
        with copy.open("wb") as stream:
            shutil.copyfileobj(sys.stdin.buffer, stream)
    except OSError as error:
        raise EnvironmentFault(
            f"{_name(_STDIN)}: could not be copied to {copy.parent.parent}, {error}. Free space there, or set TMPDIR "
            "to another folder, then run again."
        ) from error
