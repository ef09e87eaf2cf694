"""The temperature of a classifier: what its logits are divided by, so that its probabilities can be trusted."""

import math

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

LOWEST, HIGHEST = 0.05, 20.0


def fit_temperature(logits: npt.NDArray[np.float64], labels: npt.NDArray[np.int64]) -> float:
    """Return the temperature in [0.05, 20] that fits logits (N, C) to labels (N,) best; 1.0 if it lowers no loss.

    It minimises the negative log likelihood as if one more row, of no class in particular, were there: without it the
    best temperature of N rows that are all right is the lowest, and one error later would cost without limit. The
    loss is convex in 1/T, so there is one minimum.

    Source: Guo et al. 2017, On Calibration of Modern Neural Networks, section 4.2; Platt 1999, Probabilistic Outputs
    for Support Vector Machines, section 2.2, for the prior on the targets.
    """
    found = minimize_scalar(
        lambda log: _smoothed_loss(logits, labels, math.exp(log)),
        bounds=(math.log(LOWEST), math.log(HIGHEST)),
        method="bounded",
        options={"xatol": 1e-7},
    )
    temperature = math.exp(found.x)
    lower = likelihood_loss(logits / temperature, labels) < likelihood_loss(logits, labels)
    return temperature if lower else 1.0


def likelihood_loss(logits: npt.NDArray[np.float64], labels: npt.NDArray[np.int64]) -> float:
    """Return the mean negative log likelihood of labels (N,) under logits (N, C), in nats."""
    return float(np.mean(_log_totals(logits) - logits[np.arange(len(labels)), labels]))


def apply_temperature(probabilities: npt.NDArray[np.float64], temperature: float) -> npt.NDArray[np.float64]:
    """Return the probabilities (N, C) that logits divided by `temperature` give; 1/T undoes what T did.

    A probability of 0 stays 0, and a temperature of 1 leaves every bit as it is.
    """
    if temperature == 1:
        return probabilities
    with np.errstate(divide="ignore"):
        logits = np.log(probabilities) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    scaled: npt.NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return scaled


def _smoothed_loss(logits: npt.NDArray[np.float64], labels: npt.NDArray[np.int64], temperature: float) -> float:
    """Return the summed loss of the rows at a temperature, and of one more: a mean over all rows and classes."""
    scaled = logits / temperature
    unlabelled = float(np.mean(_log_totals(scaled)[:, None] - scaled))
    return likelihood_loss(scaled, labels) * len(labels) + unlabelled


def _log_totals(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return ln(sum of exp) of each row, (N,)."""
    highest = logits.max(axis=1, keepdims=True)
    totals: npt.NDArray[np.float64] = np.log(np.exp(logits - highest).sum(axis=1)) + highest[:, 0]
    return totals
