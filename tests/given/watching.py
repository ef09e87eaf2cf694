"""A project with a tiny trained classifier, and texts of its kind and of others."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.core.files import write_json
from pipeline.core.tables import describe, write_parquet
from pipeline.examples.text import text_id, text_key
from pipeline.finetune.classification import Rows
from pipeline.models.batches import to_ragged
from pipeline.models.tokenizer import as_inputs, load_tokenizer
from pipeline.settings.fields import SPLITS
from pipeline.settings.parse import parse_params
from pipeline.settings.shared.text_forms import READS_PAIRS
from pipeline.settings.shared.texts import PAIR
from tests.given.encoder import WORDS, make_encoder
from tests.given.revisions import LABELS, settings
from tests.given.settings import dump
from tests.given.training import DEVICE, fit, model, save_classifier, with_params

MAX_LENGTH = 16
SIGNS = ("bad", "good")  # of the classes
PLAIN_WORDS = sorted({*WORDS} - {*SIGNS})


def write_texts(
    seed: int, rows: int = 200, *, positive: float = 0.5, words: tuple[int, int] = (4, 10), others: Sequence[str] = ()
) -> list[tuple[str, str]]:
    """Return texts and their classes, in exact shares: some words, one of which is the sign of the class."""
    rng = np.random.default_rng(seed)
    texts = []
    for at in range(rows):
        label = int(at % 20 < 20 * positive)
        own = rng.choice(others or PLAIN_WORDS, int(rng.integers(*words))).tolist()
        own.insert(int(rng.integers(len(own))), SIGNS[label])
        texts.append((" ".join(own), LABELS[label]))
    return texts


def as_question(text: str, *, pairs: bool) -> tuple[str, ...]:
    """Return a text or, of pairs, its words in two texts."""
    words = text.split()
    return (" ".join(words[: len(words) // 2]), " ".join(words[len(words) // 2 :])) if pairs else (text,)


def write_project(root: Path, task: str, *, pairs: bool = False) -> Path:
    """Write what `watch` reads of a project: params, examples, encoder, and a classifier trained on them."""
    texts = write_texts(0, 900)
    split = [SPLITS[0] if at < 400 else SPLITS[1] if at < 500 else SPLITS[2] for at in range(len(texts))]
    asked = [as_question(text, pairs=pairs) for text, _ in texts]
    table = pa.table(
        {
            "id": [text_id("\0".join(map(text_key, own))) for own in asked],
            "split": split,
            **dict(zip(("text", PAIR), zip(*asked, strict=True), strict=False)),
            "label": pa.array([LABELS.index(label) for _, label in texts], pa.int64()),
        }
    )
    write_parquet(root / f"data/examples/{task}.parquet", describe(table, task=task, labels=LABELS))
    values, _ = parse_params(settings({task: LABELS}))
    values["tasks"][task]["ingest"]["pair"] = "pair" if pairs else None
    (root / "params.yaml").write_text(dump(values), encoding="utf-8")
    write_json(root / "data/profiles.json", {})
    encoder = make_encoder(root / "data/raw/minilm")
    tokenizer = load_tokenizer(encoder, max_length=MAX_LENGTH)

    def rows_of(wanted: str) -> Rows:
        own = [place for place, side in enumerate(split) if side == wanted]
        encodings = tokenizer.encode_batch(as_inputs(asked[place] for place in own))
        ids, types = (
            to_ragged(pa.array([getattr(encoding, name) for encoding in encodings], pa.list_(pa.int32())))
            for name in ("ids", "type_ids")
        )
        labels = np.array([LABELS.index(texts[place][1]) for place in own])
        tokens = ids._replace(types=types.values if pairs else None)
        return Rows(tokens, labels, tuple(texts[place][0] for place in own))

    params = with_params(epochs=6, batch_tokens=512, batch_size=32)
    classifier = model(encoder, params)
    classifier.config.id2label = dict(enumerate(LABELS))
    if pairs:
        setattr(classifier.config, READS_PAIRS, True)
    fit(classifier, rows_of("train"), rows_of("validation"), params, DEVICE)
    folder = root / f"data/model/{task}"
    folder.parent.mkdir(parents=True)
    save_classifier(classifier, encoder, folder, max_length=MAX_LENGTH)
    return root


def write_csv(path: Path, texts: Sequence[tuple[str, str]], *, labels: bool = True, pairs: bool = False) -> Path:
    """Write texts, or each in two, as the CSV of the task, with or without the column of their labels."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("text", *(["pair"] if pairs else []), *(["label"] if labels else [])))
        writer.writerows((*as_question(text, pairs=pairs), *([label] if labels else [])) for text, label in texts)
    return path
