from pipeline.report.relabelling import correction_rows
from pipeline.settings.corrections import Correction, parse_corrections

ERRORS = [
    {"line": 7, "id": "0" * 16, "text": "t", "label": "a, b", "predicted": '"c"', "confidence": 0.9},
    {"line": "x.csv:8", "id": "1" * 16, "text": "t", "label": "=d", "predicted": "c", "confidence": 0.8},
    {"line": None, "id": "2" * 16, "text": "t", "label": "c", "predicted": "a", "confidence": 0.7},
]


def test_the_rows_are_read_back_once_filled_in() -> None:
    header, *rows = correction_rows(ERRORS)
    assert rows[0] == '7,0000000000000000,"a, b","""c""",'
    filled = "\n".join([header, rows[0] + "c", rows[1] + "-", rows[2]])
    assert parse_corrections(filled, file="copied.csv") == {
        "0" * 16: Correction(label="a, b", correction="c"),
        "1" * 16: Correction(label="=d", correction="-"),
    }


def test_no_error_is_a_header_alone() -> None:
    assert correction_rows([]) == ["line,id,label,predicted,correction"]
