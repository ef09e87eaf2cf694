from hypothesis import given
from hypothesis import strategies as st

from pipeline.core import errors
from pipeline.core.errors import listed


def test_each_error_has_the_exit_code_schedulers_know():
    codes = {kind.__name__: kind.exit_code for kind in errors.PipelineError.__subclasses__()}
    assert codes == {
        "Regression": 1,
        "UsageError": 2,
        "DataError": 3,
        "EnvironmentFault": 4,
        "Stopped": 143,
        "Busy": 75,
    }


def test_examples_are_few_short_and_counted():
    assert listed([]) == ""
    assert listed(["a", 2]) == "'a', 2"
    assert listed("abcdefgh") == "'a', 'b', 'c', 'd', 'e' and 3 more"
    assert listed(["x" * 100], width=10) == "'xxxxxxxx…"


@given(st.lists(st.text(max_size=100), max_size=8))
def test_no_control_character_reaches_the_terminal(values):
    assert listed(values).isprintable()
