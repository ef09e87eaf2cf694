"""The baselines of answers in passages, by what they are for."""

from pipeline.evaluate.kind import BaselineName, BaselineNames

READING_BASELINES = BaselineNames(
    cheap=BaselineName("sentence", "best sentence by TF-IDF", "sentence"),
    probe=None,
    trivial=BaselineName("never", "never answers", "never"),
)
