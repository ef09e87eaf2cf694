"""baseline: examples, features -> baselines, the probabilities of simple models on validation and test."""

import pyarrow as pa

from pipeline.core.stage import In, Out
from pipeline.core.tables import class_indices, described, labels_of, read_arrow, read_parquet, task_of, write_parquet
from pipeline.evaluate.align import aligned, of_split, vectors
from pipeline.evaluate.baselines import majority, probe, tfidf
from pipeline.settings.task import BaselineParams


def run(params: BaselineParams, *, examples: In, findings: In, features: In, baselines: Out) -> None:  # noqa: ARG001
    """Fit the baselines on train, tuned on validation.

    `findings` is not read: that it is there says that validate let the examples pass.
    """
    table = read_parquet(examples)
    labels = labels_of(table)
    numbers = vectors(
        aligned(read_arrow(features), table["id"].to_pylist(), like=table, what="features", split=None)["features"]
    )
    train, validation = of_split(table, "train"), of_split(table, "validation")
    learned, chosen = (table["split"].to_numpy() == split for split in ("train", "validation"))
    rows = table.filter(pa.array(~learned))
    known, tuned = class_indices(train), class_indices(validation)
    found = {
        "majority": majority(known, classes=len(labels), rows=rows.num_rows),
        "tfidf": tfidf(
            params,
            train=(train["text"].to_pylist(), known),
            validation=(validation["text"].to_pylist(), tuned),
            texts=rows["text"].to_pylist(),
            classes=len(labels),
        ),
        "probe": probe(
            params,
            train=(numbers[learned], known),
            validation=(numbers[chosen], tuned),
            features=numbers[~learned],
            classes=len(labels),
        ),
    }
    columns = {name: pa.array(list(values), pa.list_(pa.float64())) for name, values in found.items()}
    written = pa.table({"id": rows["id"], "split": rows["split"], **columns})
    write_parquet(baselines, described(written, task=task_of(table), labels=labels))
