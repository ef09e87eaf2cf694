"""The baselines of a class for each text, by what they are for."""

from pipeline.evaluate.kind import BaselineName, BaselineNames

TEXT_BASELINES = BaselineNames(
    cheap=BaselineName("tfidf", "TF-IDF + logistic regression", "TF-IDF"),
    probe=BaselineName("probe", "frozen encoder + linear probe", "probe"),
    trivial=BaselineName("majority", "majority class", "majority"),
    second=BaselineName("second", "TF-IDF of the second text alone", "second text"),
)
