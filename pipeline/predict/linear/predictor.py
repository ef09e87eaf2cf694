"""The predictor of a linear baseline: whole questions to what answers are made of."""

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from pipeline.core.errors import EnvironmentFault, UsageError
from pipeline.core.files import read_json
from pipeline.examples.text import is_empty, normalise
from pipeline.linear.saved import BETWEEN, LINEAR_MANIFEST, find_linear_kind, read_linear
from pipeline.predict.forms.form import adapt_answers
from pipeline.predict.forms.pairs import TextPair
from pipeline.predict.kind import Answers, load_answers
from pipeline.predict.predictor import INSTALL, LINEAR, Backend, Predictor, load_predictor
from pipeline.predict.questions import Prepared

UNCUT_LENGTH = 2048  # of a row that is large, where a number is needed and nothing is cut
_ROWS = 1000  # computed at once, for memory alone: a row does not change with those beside it


class LinearPredictor(NamedTuple):
    """A linear baseline, ready to answer, as a `Predictor`; what stands for a row of token ids is the question itself.

    Args:
        decision: What else its answers follow, as validation has chosen it for the baseline.
        compute: The outputs of questions.
    """

    task: str
    kind: str
    answers: Answers
    version: str
    labels: tuple[str, ...]
    decision: Any
    compute: Callable[[Sequence[Any]], Any]
    backend: str = LINEAR
    max_length: int | None = None  # nothing is cut
    batch_tokens: int = _ROWS

    def fit(self, question: Any) -> Any:
        """Return the question: nothing of it is out of reach."""
        return question

    def prepare(self, questions: Sequence[Any]) -> Prepared:
        """Return questions, a row each."""
        rows: Any = self.encode(questions)
        return Prepared(rows, rows, range(len(rows)), [range(len(row)) for row in rows])

    def encode(self, questions: Sequence[Any]) -> list[Any]:
        """Return the rows of questions: texts in their normal form, "" for one without a visible character.

        A pair of texts is one row, so that its length is that of both.
        """
        return [*map(_to_row, questions)]

    def compute_outputs(self, rows: Sequence[Any], advance: Callable[[int], object] = lambda _: None) -> Any:
        """Return the outputs of any number of rows; `advance` is called with the number of those just computed."""
        parts = []
        for start in range(0, len(rows), _ROWS):
            part = rows[start : start + _ROWS]
            parts.append(self.predict(part))
            advance(len(part))
        if self.answers.reads == "every token":
            return [outputs for part in parts for outputs in part]
        return np.concatenate(parts) if parts else self.predict(rows)

    def predict(self, rows: Sequence[Any]) -> Any:
        """Return the outputs of the rows of one batch."""
        return self.compute(rows) if rows else np.zeros((0, len(self.labels)))


def _to_row(question: Any) -> Any:
    if isinstance(question, TextPair):
        return BETWEEN.join(map(_put_into_normal_form, question))
    return _put_into_normal_form(question) if isinstance(question, str) else question


def _put_into_normal_form(text: str) -> str:
    normal = normalise(text)
    return "" if is_empty(normal) else normal


AnyPredictor: TypeAlias = Predictor | LinearPredictor


def open_predictor(folder: Path, *, backend: Backend = "auto", threads: int = 0) -> AnyPredictor:
    """Return the predictor of a bundle, of a model folder or of the folder of a linear baseline (`load_predictor`).

    Raises:
        UsageError: The folder has no such backend.
        EnvironmentFault: A file is missing or damaged, or a package is not installed.
    """
    is_linear = (folder / LINEAR_MANIFEST).is_file()
    if is_linear and backend not in ("auto", LINEAR):
        raise UsageError(f"{folder}: no backend {backend}, it is a linear baseline. Choose {LINEAR}.")
    if not is_linear and backend == LINEAR:
        raise UsageError(f"{folder}: no linear baseline. Name its task, or its folder below data/linear.")
    return load_linear(folder) if is_linear else load_predictor(folder, backend=backend, threads=threads)


def find_linear_answers(folder: Path) -> Answers:
    """Return how a linear baseline answers: as its kind does, of texts or of pairs of them.

    Raises:
        UsageError: Its task has none.
        EnvironmentFault: The folder is damaged.
    """
    answers = load_answers(find_linear_kind(folder), str(folder))
    return adapt_answers(answers, read_json(folder / LINEAR_MANIFEST))


def load_linear(folder: Path) -> LinearPredictor:
    """Return the predictor of a linear baseline, which needs scikit-learn.

    Raises:
        UsageError: Its task has none.
        EnvironmentFault: A file is missing or damaged, or a package is not installed.
    """
    answers = find_linear_answers(folder)
    try:
        opened = read_linear(folder)
        compute = importlib.import_module("pipeline.linear.reader").open_linear(opened)
    except ModuleNotFoundError as error:
        raise EnvironmentFault(f"{error.name}: not installed. {INSTALL[LINEAR]}") from error
    return LinearPredictor(
        task=opened.task,
        kind=opened.saved.kind,
        answers=answers,
        version=opened.version,
        labels=answers.outputs(opened.labels),
        decision=answers.decide(opened.saved.decision),
        compute=compute,
    )
