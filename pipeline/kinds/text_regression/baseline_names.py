"""The baselines of a number for each text, by what they are for."""

from pipeline.evaluate.kind import BaselineName, BaselineNames

NUMBER_BASELINES = BaselineNames(
    cheap=BaselineName("tfidf", "TF-IDF + ridge regression", "TF-IDF"),
    probe=BaselineName("probe", "frozen encoder + ridge regression", "probe"),
    trivial=BaselineName("mean", "mean of train", "mean"),
    second=BaselineName("second", "TF-IDF of the second text alone", "second text"),
)
