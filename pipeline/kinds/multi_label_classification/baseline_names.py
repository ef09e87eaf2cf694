"""The baselines of label sets, by what they are for."""

from pipeline.evaluate.kind import BaselineName, BaselineNames

LABEL_SET_BASELINES = BaselineNames(
    cheap=BaselineName("tfidf", "TF-IDF + logistic regression for each label", "TF-IDF"),
    probe=BaselineName("probe", "frozen encoder + linear probe for each label", "probe"),
    trivial=BaselineName("prevalence", "how often each label is given", "prevalence"),
)
