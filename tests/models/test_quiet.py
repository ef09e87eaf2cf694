import pytest
from transformers.utils import logging

from pipeline.models.folder import quiet


@pytest.mark.parametrize("bars", [True, False])
def test_the_library_is_silent_inside_and_as_before_after(bars):
    verbosity, before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    (logging.enable_progress_bar if bars else logging.disable_progress_bar)()
    try:
        with quiet():
            assert logging.get_verbosity() == logging.ERROR
            assert not logging.is_progress_bar_enabled()
        assert logging.get_verbosity() == verbosity
        assert logging.is_progress_bar_enabled() == bars
    finally:
        (logging.enable_progress_bar if before else logging.disable_progress_bar)()
