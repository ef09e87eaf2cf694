"""Edits of params.yaml that leave every other line as it was."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from pipeline.core.errors import UsageError
from pipeline.project.params_file import add_entry, drop_demos, drop_entry, set_value, spell
from pipeline.settings.parse import parse_params

SHIPPED = Path("params.yaml").read_text(encoding="utf-8")
TEXT = """# head
report:
  title: Old       # a comment
  worst: 1

# above sources
sources:
  # of a
  a:
    kind: x

  b: {kind: y}     # of b

# above tasks
tasks:
  t:
    encoder: raw/b
    ingest: {file: a/x.csv}
"""


def test_demos_go_and_the_encoder_and_all_comments_stay():
    text = drop_demos(TEXT)
    values, _ = parse_params(text)
    assert (list(values["sources"]), values["tasks"]) == (["b"], None)
    assert text.startswith(TEXT[: TEXT.index("  # of a\n")])
    assert text.endswith("# above tasks\ntasks:\n")
    assert drop_demos(text.replace("tasks:\n", "tasks:\n  t: {encoder: raw/b}\n")) == text


def test_the_shipped_file_without_its_demos():
    values, _ = parse_params(drop_demos(SHIPPED))
    assert (list(values["sources"]), values["tasks"]) == (["minilm"], None)
    whole, _ = parse_params(SHIPPED)
    assert {**values, "sources": whole["sources"], "tasks": whole["tasks"]} == whole
    assert set(drop_demos(SHIPPED).splitlines()) <= set(SHIPPED.splitlines())


def test_an_entry_added_is_the_last_and_dropped_leaves_no_trace():
    text = add_entry(TEXT, "sources", "  c:\n    kind: z\n")
    assert "  b: {kind: y}     # of b\n  c:\n    kind: z\n\n# above tasks\n" in text
    assert drop_entry(text, "sources.c") == TEXT
    assert add_entry("tasks:", "tasks", "  a: 1\n") == "tasks:\n  a: 1\n"


@pytest.mark.parametrize("text", ["a: 1\n", "tasks: {}\n"])
def test_a_section_that_takes_no_entry(text):
    with pytest.raises(UsageError, match="tasks"):
        add_entry(text, "tasks", "  a: 1\n")


def test_a_value_keeps_its_comment():
    assert "  title: New name  # a comment\n" in set_value(TEXT, "report.title", "New name")
    assert "  title: Z         # a comment\n" in set_value(TEXT, "report.title", "Z")
    assert '  worst: "1"\n' in set_value(TEXT, "report.worst", "1")


@given(
    st.recursive(
        st.text(max_size=8) | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    )
)
def test_what_is_spelled_is_read_back(value):
    assert YAML(typ="safe", pure=True).load(f"key: {spell(value)}\n") == {"key": value}


@pytest.mark.parametrize("text", ["yes", "Null", "1", "1e3", "a: b", "a #b", " a", "", "-", "a\nb", "\U0001f600\u2028"])
def test_text_stays_text(text):
    for version in ((1, 1), (1, 2)):
        yaml = YAML(typ="safe", pure=True)
        yaml.version = version
        assert yaml.load(f"[{spell(text)}, x]\n") == [text, "x"]
