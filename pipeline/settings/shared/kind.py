"""The settings of a kind of task: the facet by which params.yaml is checked."""

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from pipeline.core.document import Document, Strict
from pipeline.settings.problems import Problems

# What a column of a plain table holds: sentences, the name of a class, a number, a list of names of classes, a list of
# words, a list of their tags, the answers to a question, the path of an image.
Role = Literal["text", "class", "number", "classes", "words", "tags", "answers", "image"]


class Settings(NamedTuple):
    """The sections of params.yaml as a kind reads them.

    Args:
        sections: The class of each section of a task (`PER_TASK`), and of a cell of the study (`study`, `rival`).
        check: Adds the errors between the sections of one task, `check(sections by name, problems of the task)`; a
            section with errors of its own is empty.
        columns: The keys of `ingest` that name the columns of a plain table, and what these hold; `python -m pipeline
            new` looks for them in a file.
        texts: The columns of the examples that hold what people wrote, strings or lists of words; validation and test
            texts of them stay out of a corpus, and one of `text` can be made.
    """

    sections: Mapping[str, type[Strict]]
    check: Callable[[Mapping[str, Document], Problems], None]
    columns: Mapping[str, Role]
    texts: tuple[str, ...] = ()
