"""Logs: one JSON object a line, whatever is logged."""

import json
import logging
import sys

from hypothesis import given
from hypothesis import strategies as st

from pipeline.answer.log import JsonLines


@given(message=st.text(), fields=st.dictionaries(st.sampled_from(["id", "path"]), st.text() | st.integers()))
def test_a_record_is_one_line_of_json(message, fields):
    record = logging.makeLogRecord({"msg": message, "levelname": "INFO", "created": 0.0, "fields": fields})
    line = JsonLines().format(record)
    assert line.isascii()
    assert "\n" not in line
    assert json.loads(line) == {"time": "1970-01-01T00:00:00.000+00:00", "level": "info", "event": message, **fields}


def test_an_error_has_its_trace():
    try:
        int("x")
    except ValueError:
        record = logging.makeLogRecord({"msg": "failed", "levelname": "ERROR", "exc_info": sys.exc_info()})
    assert json.loads(JsonLines().format(record))["error"].endswith("'x'")
