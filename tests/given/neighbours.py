"""A project with examples, and their features by a tiny encoder."""

import json
from pathlib import Path

import pyarrow as pa

from pipeline.core.files import write_json
from pipeline.core.tables import describe, description, write_arrow, write_parquet
from pipeline.examples.text import text_id, text_key
from pipeline.models.inference import TOKEN_FEED
from pipeline.models.tokenizer import load_tokenizer
from pipeline.settings.task import ExtractParams
from pipeline.stages import extract
from tests.given.encoder import make_encoder
from tests.given.revisions import settings
from tests.given.settings import resolve_params

LABELS = ("bad", "good")
TEXTS = ("a good film", "a bad film", "<script>a very bad film</script>", "good " * 400, "the film and the good", "bad")
TRAIN = TEXTS[:5]  # the last one is of the test split


def write_embedded(root: Path, task: str) -> Path:
    """Write a project whose task has examples, params and the features that `extract` makes; return its folder."""
    encoder = make_encoder(root / "data/raw/minilm")
    text = settings({task: LABELS})
    (root / "params.yaml").write_text(text, encoding="utf-8")
    sections = resolve_params(text, {})
    write_json(root / "data/params.json", sections)
    ids = [text_id(text_key(text)) for text in TEXTS]
    split = ["train" if text in TRAIN else "test" for text in TEXTS]
    labels = pa.array([int("good" in text) for text in TEXTS], pa.int64())
    table = pa.table({"id": ids, "split": split, "text": TEXTS, "label": labels})
    write_parquet(root / f"data/examples/{task}.parquet", describe(table, task=task, labels=LABELS))
    tokenizer = load_tokenizer(encoder, max_length=16)
    rows = pa.array([of.ids for of in tokenizer.encode_batch_fast([*TEXTS])], pa.list_(pa.int32()))
    tokens = pa.table({"id": ids, "split": split, "labels": labels, "input_ids": rows})
    tokens = tokens.replace_schema_metadata({**description(task, LABELS), "max_length": "16"})
    write_arrow(root / "data/tokens.arrow", tokens.schema, tokens.to_batches())
    params = ExtractParams.model_validate_json(json.dumps(sections["extract"][task]))
    features = root / f"data/features/{task}.arrow"
    extract.run(params, TOKEN_FEED, tokens=root / "data/tokens.arrow", encoder=encoder, features=features)
    return root
