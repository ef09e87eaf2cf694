"""Checks of text classification: of texts, of classes, and of both against a reference."""

from pipeline.checks.columns import name_columns
from pipeline.checks.measures import Checks, build_frames, measure_examples, profile_train
from pipeline.checks.suite import list_checks

CHECKS = Checks(
    columns=name_columns,
    profile=profile_train,
    measure=measure_examples,
    frames=build_frames,
    suite=list_checks,
)
