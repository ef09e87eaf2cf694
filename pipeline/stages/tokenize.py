"""tokenize: examples -> what the encoder reads, say ragged token ids, in one columnar file."""

from pipeline.core.stage import Gate, In, Out
from pipeline.core.tables import read_arrow, regroup, write_arrow
from pipeline.models.inputs import Inputs
from pipeline.settings.task import TaskParams


def run(params: TaskParams, kind: Inputs, *, examples: In, findings: Gate, encoder: In, tokens: Out) -> None:
    """Encode every example of every split as this encoder reads it; memory does not grow with the examples."""
    encoded = kind.encode(params, examples, encoder)
    write_arrow(tokens, encoded.schema, regroup(encoded.batches, encoded.rows))
    print(kind.summarize(read_arrow(tokens)))
