"""Checks of text classification: of texts, of classes, and of both against a reference."""

from pipeline.checks.measures import Checks, build_frames, measure_examples, profile_train
from pipeline.checks.suite import EXAMPLE_COLUMNS, list_checks

CHECKS = Checks(
    columns=EXAMPLE_COLUMNS,
    profile=profile_train,
    measure=measure_examples,
    frames=build_frames,
    suite=list_checks,
)
