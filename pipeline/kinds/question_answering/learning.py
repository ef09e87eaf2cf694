"""Learning of question answering: where an answer starts and ends, or that there is none."""

from pathlib import Path

import pyarrow as pa
from tokenizers import Tokenizer
from transformers import AutoModelForQuestionAnswering, PreTrainedModel

from pipeline.core.files import read_json, write_json
from pipeline.finetune.learning import Finish, Learning
from pipeline.kinds.question_answering.objective import ANSWERS, ReadingScores, WindowRows, rows_of_windows
from pipeline.models.heads import Head, name_classes
from pipeline.models.inputs import max_length_of
from pipeline.models.layers import require_fit
from pipeline.models.tokenizer import save_tokenizer
from pipeline.reading.decoding import SPAN_OUTPUTS
from pipeline.reading.windows import set_windows

READER = Head(AutoModelForQuestionAnswering, name_classes(SPAN_OUTPUTS))


def _finish(_model: PreTrainedModel, _validation: WindowRows, best: ReadingScores) -> Finish:
    return Finish({name: getattr(best, name) for name in ("f1", "exact_match", "loss", "step")}, {})


def _save_inputs(encoder: Path, folder: Path, table: pa.Table) -> None:
    length = max_length_of(table)
    save_tokenizer(encoder, folder, max_length=length)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    set_windows(tokenizer, max_length=length, overlap=int(table.schema.metadata[b"stride"]))
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    if rows_of_windows(table, "train").tokens.types is not None:
        path = folder / "tokenizer_config.json"
        settings = read_json(path)
        write_json(path, {**settings, "model_input_names": ["input_ids", "token_type_ids", "attention_mask"]})


LEARNING = Learning(
    head=lambda _table: READER,
    rows=rows_of_windows,
    require_fit=lambda rows, model: require_fit(rows.tokens, model),
    reads="every token",
    objective=ANSWERS,
    finish=_finish,
    save_inputs=_save_inputs,
)
