import tracemalloc

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
        "NotReproduced": 5,
        "Busy": 75,
    }
    assert errors.Stopped.exit_code == 143


def test_examples_are_few_short_and_counted():
    assert listed([]) == ""
    assert listed(["a", 2]) == "'a', 2"
    assert listed("abcdefgh") == "'a', 'b', 'c', 'd', 'e' and 3 more"
    assert listed(["x" * 100], width=10) == "'xxxxxxxx…"


def test_a_huge_value_is_not_spelled_out():
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]  # `repr` ends in a RecursionError
    text, texts = "\x00" * 10**8, ["\x00" * 10**7] * 3
    tracemalloc.start()
    assert listed([text, nested, texts], width=10) == "'\\x00\\x00…, [[[[...]]…, ['\\x00\\x0…"
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


@given(st.lists(st.text(max_size=100), max_size=8))
def test_no_control_character_reaches_the_terminal(values):
    assert listed(values).isprintable()
