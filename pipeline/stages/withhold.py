"""withhold: tokens and an encoder -> what the trials of a search start from, without the test split."""

import shutil

import pyarrow.compute as pc

from pipeline.core.files import publish
from pipeline.core.stage import In, Out
from pipeline.core.tables import read_arrow, write_arrow
from pipeline.settings.search.sections import WithholdParams


def run(params: WithholdParams, *, tokens: In, encoder: In, start: Out) -> None:
    """Copy the encoder, and the tokens of the train and validation splits: no trial can read a test row."""
    table = read_arrow(tokens)
    kept = table.filter(pc.not_equal(table["split"], "test")).combine_chunks()
    with publish(start) as partial:
        shutil.copytree(encoder, partial / "encoder")
        write_arrow(partial / "tokens.arrow", table.schema, kept.to_batches())
    print(f"{params.task}: {kept.num_rows} of {table.num_rows} rows, none of the test split")
