"""Questions of a kind of task: how a row of a file or of a request becomes one, and questions what a model reads."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tokenizers import Tokenizer

from pipeline.core.document import Document
from pipeline.core.files import read_json
from pipeline.examples.text import is_empty, normalise, text_key
from pipeline.models.tokenizer import CHARS_PER_TOKEN, TYPES, load_tokenizer
from pipeline.predict.bundle import Probe
from pipeline.predict.logits import Collate, ModelRows, pad_batch
from pipeline.settings.ingest import Holds

_LONGEST = 1_000_000  # tokens; the library writes 1e30 if a tokenizer has no limit


class Unanswerable(Exception):
    """A row is no question; the message says what it is, as in "a row without a visible character"."""


class Prepared(NamedTuple):
    """Questions as rows that a model reads; a question may have several, in turn, or none.

    Args:
        questions: The questions.
        rows: What the model reads of each; of a linear baseline the question itself.
        owners: The place of the question of each row.
        places: What else of each row says where its tokens stand in the question.
    """

    questions: Sequence[Any]
    rows: list[Any]
    owners: Sequence[int]
    places: Sequence[Any]


class Reading(NamedTuple):
    """What models of one kind read: rows, and batches of them. A *reader* is what `open` of `Questions` gives.

    Args:
        files: The files beside the weights that decide how a model reads; a bundle holds them.
        packages: The packages whose versions decide it.
        measure: `measure(folder)` is the most tokens of a row of the model in a folder; None if it does not say.
        collate: `collate(reader, pad_token_id)` is what makes a batch of rows.
        stored: `stored(inputs)` are the rows of a table of the task's inputs.
        disguise: `disguise(rows)` is what a bundle keeps of rows for its probe; their questions cannot be read from it.
        restore: `restore(reader, probe)` are the rows of a probe.
    """

    files: tuple[str, ...]
    packages: tuple[str, ...]
    measure: Callable[[Path], int | None]
    collate: Callable[[Any, int], Collate]
    stored: Callable[[pa.Table], ModelRows]
    disguise: Callable[[ModelRows], Document]
    restore: Callable[[Any, Probe], ModelRows]


class Questions(NamedTuple):
    """How questions of one kind are read, and what the model reads of them.

    Args:
        fields: The parts of a question in a request, and what each holds.
        columns: `columns(ingest)` are the columns of a task's own file that hold the same, and what each holds.
        joined: Whether a file may have any number of columns for the first field.
        of_text: `of_text(text)` is the question that a plain text is; None if none is one.
        sample: `sample(length)` is a question of about so many tokens, to measure with.
        read: `read(cells)` is the question of the cells of a row; raises `Unanswerable`.
        name: `name(question)` is what the id of a question is made of, as that of an example is.
        open: `open(folder, max_length)` is the tokenizer of a model or a bundle, in whatever the others read by it.
        fit: `fit(tokenizer, max_length, question)` is a question without what no tokenizer reaches; raises
            `Unanswerable` if the model cannot read it.
        prepare: `prepare(tokenizer, max_length, questions)` are their rows.
        reading: What becomes of the rows.
    """

    fields: Mapping[str, Holds]
    columns: Callable[[Any], Mapping[str, Holds]]
    joined: bool
    of_text: Callable[[str], Any] | None
    sample: Callable[[int], Any]
    read: Callable[[Sequence[Any]], Any]
    name: Callable[[Any], str]
    open: Callable[[Path, int], Any]
    fit: Callable[[Any, int, Any], Any]
    prepare: Callable[[Any, int, Sequence[Any]], Prepared]
    reading: Reading


def read_model_length(folder: Path) -> int | None:
    """Return the tokens at which texts are cut for a model, as its tokenizer_config.json says."""
    length = read_json(folder / "tokenizer_config.json").get("model_max_length")
    return length if isinstance(length, int) and length <= _LONGEST else None


def list_token_rows(inputs: pa.Table) -> ModelRows:
    """Return the token ids of each row of a table of inputs, (T,), or with their types, (T, 2)."""
    columns = [inputs[name].combine_chunks() for name in ("input_ids", TYPES) if name in inputs.column_names]
    offsets = columns[0].offsets.to_numpy()
    values = np.stack([column.values.to_numpy() for column in columns], axis=1)[offsets[0] : offsets[-1]]
    return np.split(values if len(columns) > 1 else values[:, 0], offsets[1:-1] - offsets[0])


def deal_rows(rows: ModelRows) -> Document:
    """Return rows of token ids whose tokens are dealt out anew; the types stay where they are."""
    values = [np.asarray(row) for row in rows]
    if not values or values[0].ndim == 1:
        return {"input_ids": deal_tokens([row.tolist() for row in values])}
    return {
        "input_ids": deal_tokens([row[:, 0].tolist() for row in values]),
        TYPES: [row[:, 1].tolist() for row in values],
    }


def deal_tokens(ids: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return rows of the same lengths with all their tokens dealt out anew, so that no text can be read from them.

    A bundle is published, and the texts of the data are not. The first and the last token of a row, which are special
    in most encoders, stay if all rows have the same.
    """
    first, last = (len({row[at] for row in ids if row}) == 1 for at in (0, -1))
    inner = [[*row[int(first) : len(row) - int(last)]] for row in ids]
    pool = iter(np.random.default_rng(0).permutation([token for row in inner for token in row]).tolist())
    return [
        [*row[: int(first)], *(next(pool) for _ in own), *row[max(int(first), len(row) - int(last)) :]]
        for row, own in zip(ids, inner, strict=True)
    ]


def pair_types(probe: Probe) -> ModelRows:
    """Return the rows of a probe as a model's batches take them: ids, or with their types if they have any, (T, 2)."""
    ids, types = probe.input_ids or (), probe.token_type_ids
    return ids if types is None else [np.stack(pair, axis=1) for pair in zip(ids, types, strict=True)]


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


TOKEN_READING = Reading(
    files=("tokenizer.json",),
    packages=("tokenizers",),
    measure=read_model_length,
    collate=lambda _tokenizer, pad_token_id: partial(pad_batch, pad_token_id=pad_token_id),
    stored=list_token_rows,
    disguise=deal_rows,
    restore=lambda _tokenizer, probe: pair_types(probe),
)
TEXT_QUESTIONS = Questions(
    fields={"text": "text"},
    columns=lambda ingest: dict.fromkeys(ingest.text, "text"),
    joined=True,
    of_text=lambda text: text,
    sample=lambda length: "and " * length,
    read=read_text_row,
    name=text_key,
    open=lambda folder, max_length: load_tokenizer(folder, max_length=max_length),
    fit=lambda _tokenizer, max_length, text: text[: max_length * CHARS_PER_TOKEN],
    prepare=encode_texts,
    reading=TOKEN_READING,
)
