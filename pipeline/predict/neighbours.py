"""Neighbours of a text: the training examples whose features are nearest to its own."""

from collections.abc import Callable
from pathlib import Path

import pyarrow.compute as pc
from pydantic import ValidationError

from pipeline.core.document import Document, describe_mismatch, json_text
from pipeline.core.errors import REPRODUCE, EnvironmentFault, UsageError, listed
from pipeline.core.files import read_json, read_utf8
from pipeline.core.tables import labels_of, read_arrow, read_parquet
from pipeline.evaluate.align import align, to_vectors
from pipeline.evaluate.projection import find_neighbours
from pipeline.predict.logits import ModelRows
from pipeline.predict.predictor import import_backend
from pipeline.settings.parse import parse_params
from pipeline.settings.shared.texts import PAIR
from pipeline.settings.task import ExtractParams

MOST_NEIGHBOURS = 5
_SHOWN = 600  # characters of a text
_PARAMS, _SECTIONS = Path("params.yaml"), Path("data/params.json")
_EXAMPLES, _FEATURES = "data/examples/{}.parquet", "data/features/{}.arrow"


def open_neighbours(task: str) -> Callable[[ModelRows], list[Document]]:
    """Return what finds the training examples nearest to a text, in the project of the working folder.

    It gives `text`, cut if it is long, `label` and `similarity`, the cosine of the features, the nearest first.

    The features are those of the frozen encoder, as `extract` has made them: of what the texts are about, rather than
    of what the model has learned.

    Raises:
        UsageError: The project has no such task, or it is of another kind than texts of one class each.
        DataError: The features are not those of the examples.
        EnvironmentFault: A file is missing, damaged or of another version, or torch is not installed.
    """
    sections = read_json(_SECTIONS)["extract"]
    if task not in sections:
        raise UsageError(f"{task}: no task of this project, found {listed(sections)}. Leave out --neighbours.")
    try:
        params = ExtractParams.model_validate_json(json_text({**sections[task], "precision": "fp32"}))
    except ValidationError as error:
        wrong = describe_mismatch(error, "extract", task)
        raise EnvironmentFault(f"{_SECTIONS}: not that of this version, {wrong}. {REPRODUCE}") from error
    encoder = Path("data") / parse_params(read_utf8(_PARAMS))[0]["tasks"][task]["encoder"]
    examples = read_parquet(Path(_EXAMPLES.format(task)))
    if not labels_of(examples) or not {"text", "label"} <= {*examples.column_names} or PAIR in examples.column_names:
        raise UsageError(f"{task}: its training examples are no texts of one class each. Leave out --neighbours.")
    features = align(
        read_arrow(Path(_FEATURES.format(task))), examples["id"].to_pylist(), like=examples, what="features", split=None
    )
    train = pc.indices_nonzero(pc.equal(examples["split"], "train")).to_numpy()
    part = train, to_vectors(features["features"])[train]
    extract = import_backend("torch_model", "torch").open_extractor(encoder, params)
    texts, classes, labels = examples["text"], examples["label"], labels_of(examples)

    def find(ids: ModelRows) -> list[Document]:
        vector = extract(ids).mean(axis=0, keepdims=True)  # of its windows, as `extract` has it
        (nearest,) = find_neighbours(vector, [part], most=MOST_NEIGHBOURS)
        return [
            {"text": _shorten(texts[at].as_py()), "label": labels[classes[at].as_py()], "similarity": similarity}
            for at, similarity in nearest
        ]

    return find


def _shorten(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
