"""Questions of a kind of task: how a row of a file or of a request becomes one, and questions rows of token ids."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from pipeline.examples.text import is_empty, normalise, text_key
from pipeline.models.tokenizer import CHARS_PER_TOKEN, load_tokenizer
from pipeline.settings.ingest import Holds


class Unanswerable(Exception):
    """A row is no question; the message says what it is, as in "a row without a visible character"."""


class Prepared(NamedTuple):
    """Questions as rows of token ids; a question may have several, in turn, or none.

    Args:
        questions: The questions.
        ids: The token ids of each row, (T,), or with their types, (T, 2); of a linear baseline, which has no tokens,
            the question itself.
        owners: The place of the question of each row.
        places: What else of each row says where its tokens stand in the question.
    """

    questions: Sequence[Any]
    ids: list[Any]
    owners: Sequence[int]
    places: Sequence[Any]


class Questions(NamedTuple):
    """How questions of one kind are read, and what the model reads of them.

    Args:
        fields: The parts of a question in a request, and what each holds.
        columns: `columns(ingest)` are the columns of a task's own file that hold the same, and what each holds.
        joined: Whether a file may have any number of columns for the first field.
        takes_texts: Whether a plain text is a question.
        of_text: `of_text(text)` is a question of, or about, a text, however long.
        read: `read(cells)` is the question of the cells of a row; raises `Unanswerable`.
        name: `name(question)` is what the id of a question is made of, as that of an example is.
        open: `open(folder, max_length)` is the tokenizer of a model, in whatever the other functions read by it.
        fit: `fit(tokenizer, max_length, question)` is a question without what no tokenizer reaches; raises
            `Unanswerable` if the model cannot read it.
        prepare: `prepare(tokenizer, max_length, questions)` are their rows.
    """

    fields: Mapping[str, Holds]
    columns: Callable[[Any], Mapping[str, Holds]]
    joined: bool
    takes_texts: bool
    of_text: Callable[[str], Any]
    read: Callable[[Sequence[Any]], Any]
    name: Callable[[Any], str]
    open: Callable[[Path, int], Any]
    fit: Callable[[Any, int, Any], Any]
    prepare: Callable[[Any, int, Sequence[Any]], Prepared]


def read_text_row(cells: Sequence[Any]) -> str:
    """Return the text of a row, as the examples have it: its cells that are not blank, by lines.

    Raises:
        Unanswerable: It has no visible character.
    """
    parts = [cell for cell in cells if isinstance(cell, str)]
    text = normalise("\n".join(part for part in parts if part.strip()) if len(cells) > 1 else "".join(parts))
    if is_empty(text):
        raise Unanswerable("without a visible character")
    return text


def encode_texts(tokenizer: Tokenizer, max_length: int, texts: Sequence[str]) -> Prepared:
    """Return texts, put into their normal form and cut as the training texts were, a row each."""
    most = max_length * CHARS_PER_TOKEN
    encodings = tokenizer.encode_batch_fast([normalise(text)[:most] for text in texts])
    return Prepared(texts, [encoding.ids for encoding in encodings], range(len(texts)), ())


def join_rows(rows: Any, _prepared: Prepared) -> npt.NDArray[np.float64]:
    """Return the outputs of questions that have one row each, (N, C), of those of the rows."""
    return np.asarray(rows)


TEXT_QUESTIONS = Questions(
    fields={"text": "text"},
    columns=lambda ingest: dict.fromkeys(ingest.text, "text"),
    joined=True,
    takes_texts=True,
    of_text=lambda text: text,
    read=read_text_row,
    name=text_key,
    open=lambda folder, max_length: load_tokenizer(folder, max_length=max_length),
    fit=lambda _tokenizer, max_length, text: text[: max_length * CHARS_PER_TOKEN],
    prepare=encode_texts,
)
