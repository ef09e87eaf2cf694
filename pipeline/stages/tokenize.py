"""tokenize: examples -> what the encoder reads, say ragged token ids, in one columnar file."""

from pipeline.core.parts.code import fingerprint_running, hash_folder
from pipeline.core.parts.work import list_facts, open_work
from pipeline.core.stage import Gate, In, Out
from pipeline.core.tables import read_arrow, regroup, write_arrow
from pipeline.models.inputs import Inputs, encode_in_parts
from pipeline.settings.task import TaskParams

# Inputs depend on none of these params, nor on the encoder's weights.
APART = frozenset({"task", "batch_texts", "max_unknown_share"})
WEIGHT_SUFFIXES = frozenset({".safetensors"})


def run(params: TaskParams, kind: Inputs, *, examples: In, findings: Gate, encoder: In, tokens: Out) -> None:
    """Encode every example of every split as this encoder reads it; memory does not grow with the examples.

    Of examples that an earlier run has encoded, it takes the inputs that were kept, if nothing else has changed.
    """
    encoded = kind.encode(params, examples, encoder)
    work = open_work(
        tokens,
        fingerprint_running("tokenize", "inputs", kind),
        params=params.model_dump(mode="json", exclude={*APART}),
        encoder=hash_folder(encoder, but=WEIGHT_SUFFIXES),
        schema=list_facts(encoded.schema, but=("task",)),
    )
    write_arrow(tokens, encoded.schema, regroup(encode_in_parts(encoded, work), encoded.rows))
    print(f"{kind.summarize(read_arrow(tokens))}; {work.describe()}")
