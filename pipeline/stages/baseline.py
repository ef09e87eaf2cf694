"""baseline: examples -> baselines, the probabilities of simple models on validation and test."""

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.alignment import class_indices, of_split
from pipeline.baselines import majority, tfidf
from pipeline.params import BaselineParams
from pipeline.stage import In, Out
from pipeline.tables import described, labels_of, read_parquet, task_of, write_parquet


def run(params: BaselineParams, *, examples: In, findings: In, baselines: Out) -> None:  # noqa: ARG001
    """Fit the baselines on train, tuned on validation.

    `findings` is not read: that it is there says that validate let the examples pass.
    """
    table = read_parquet(examples)
    labels = labels_of(table)
    train, validation = of_split(table, "train"), of_split(table, "validation")
    rows = table.filter(pc.not_equal(table["split"], "train"))
    shares = majority(class_indices(train), classes=len(labels), rows=rows.num_rows)
    fitted = tfidf(
        params,
        train=(train["text"].to_pylist(), class_indices(train)),
        validation=(validation["text"].to_pylist(), class_indices(validation)),
        texts=rows["text"].to_pylist(),
        classes=len(labels),
    )
    found = pa.table(
        {
            "id": rows["id"],
            "split": rows["split"],
            "majority": pa.array(list(shares), pa.list_(pa.float64())),
            "tfidf": pa.array(list(fitted), pa.list_(pa.float64())),
        }
    )
    write_parquet(baselines, described(found, task=task_of(table), labels=labels))
