"""baseline: examples, features -> baselines, linear: what simple models say, and the cheap one to ask."""

from collections.abc import Iterator

import pyarrow as pa

from pipeline.core.progress import show_progress
from pipeline.core.stage import Gate, In, Out
from pipeline.core.tables import description, labels_of, write_parquet
from pipeline.evaluate.align import VectorFile
from pipeline.evaluate.baselines import Baselines, ReadVectors
from pipeline.linear.rows import Piece, draw_rows, read_pieces
from pipeline.linear.saved import write_linear
from pipeline.settings.task import SampleParams


def run(
    params: SampleParams,
    kind: Baselines,
    *,
    examples: In,
    findings: Gate,
    features: In,
    baselines: Out,
    linear: Out,
) -> None:
    """Fit the baselines on train, tuned on validation, ask them all rows outside train, and keep the cheap one."""
    drawn, vectors = draw_rows(examples, params.sample), VectorFile(features)
    labels = labels_of(drawn.piece.rows)

    def read(piece: Piece) -> ReadVectors:
        return lambda: vectors.read(*piece, total=drawn.total)

    fitted, sample = kind.fit(params, drawn.piece.rows, read(drawn.piece)), drawn.describe()
    about = description(params.task, labels) | ({"sample": sample} if sample else {})

    def answers() -> Iterator[pa.Table]:
        with show_progress(drawn.total - drawn.splits["train"][1], "example") as done:
            for piece in read_pieces(examples):
                own = {"id": piece.rows["id"], "split": piece.rows["split"]}
                yield pa.table(own | fitted.answer(piece.rows, read(piece)), metadata=about)
                done(len(piece.positions))

    saved = fitted.saved
    if saved is not None and sample:
        saved = saved._replace(choice=f"{saved.choice}; {sample}")
    write_parquet(baselines, answers())
    write_linear(linear, saved, task=params.task, labels=labels)
    print("\n".join([*fitted.choices, *([sample] if sample else [])]))
