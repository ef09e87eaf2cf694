"""Which documents become the corpus: each once, clean, and without a sentence that a task is judged by."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator
from typing import Literal, NamedTuple

from pipeline.examples.splits import position
from pipeline.examples.text import identity, is_empty, key, normalise

Part = Literal["train", "held_out"]


class Document(NamedTuple):
    """A document of the corpus: `held_out` ones only measure."""

    id: str
    source: str
    split: Part
    sentences: list[str]


class Rules(NamedTuple):
    """What decides about a document: identities of the texts no training may see, the share held out, and its salt."""

    protected: Container[str]
    held_out: float
    salt: str


def admitted(
    documents: Iterable[list[str]], source: str, rules: Rules, *, seen: set[int], counts: Counter[str]
) -> Iterator[Document]:
    """Yield the documents that are left, each under the hash of its text, and count what was met and dropped.

    A sentence goes that is empty, or whose text is `protected`: it is in the validation or test split of a task. A
    document goes when nothing of it is left, or when the same one was `seen`. Sentences are in NFC without control
    characters, as ingest has its texts.
    """
    for found in documents:
        counts["documents"] += 1
        sentences = []
        for sentence in map(normalise, found):
            counts["sentences"] += 1
            if is_empty(sentence):
                counts["empty"] += 1
            elif identity(key(sentence)) in rules.protected:
                counts["protected"] += 1
            else:
                sentences.append(sentence)
        name = identity("\n".join(map(key, sentences)))
        if not sentences or int(name, 16) in seen:
            counts["repeated" if sentences else "emptied"] += 1
            continue
        seen.add(int(name, 16))
        split: Part = "held_out" if position(name, salt=rules.salt) < rules.held_out else "train"
        counts[split] += 1
        counts["kept"] += len(sentences)
        yield Document(name, source, split, sentences)
