"""The baselines of tags of words, by what they are for."""

from pipeline.evaluate.kind import BaselineName, BaselineNames

TAG_BASELINES = BaselineNames(
    cheap=BaselineName("crf", "conditional random field on word shapes", "CRF"),
    probe=None,
    trivial=BaselineName("frequent", "most frequent tag of the word", "most frequent"),
)
