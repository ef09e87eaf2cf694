"""The baselines of a class for each image, by what they are for."""

from pipeline.evaluate.kind import BaselineName, BaselineNames

IMAGE_BASELINES = BaselineNames(
    cheap=BaselineName("gradients", "gradients or pixels + logistic regression", "gradients"),
    probe=BaselineName("probe", "frozen encoder + linear probe", "probe"),
    trivial=BaselineName("majority", "majority class", "majority"),
)
