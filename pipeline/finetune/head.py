"""The head of a fine-tuned classifier: its last layer, which holds the temperature."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn
from transformers import PreTrainedModel

from pipeline.calibration.temperature import fit_temperature, likelihood_loss
from pipeline.core.document import Document
from pipeline.evaluate.metrics import Ints
from pipeline.finetune.classification import ValidationScores
from pipeline.models.batches import Ragged
from pipeline.models.device import choose_device
from pipeline.models.inference import BATCH_SIZE, BATCH_TOKENS, compute_logits
from pipeline.models.layers import shorten_last_layer

ROWS_CHECKED = 64
LOGIT_TOLERANCE = 1e-5  # of logits, absolute and relative


class HeadCalibration(NamedTuple):
    """The temperature in a head, and the mean loss on validation without and with it, in nats.

    `reason` says why the temperature is 1.0 although another one fits better, else it is None.
    """

    temperature: float
    loss_before: float
    loss_after: float
    reason: str | None


def calibrate_head(model: PreTrainedModel, tokens: Ragged, labels: Ints) -> HeadCalibration:
    """Return `fold_temperature` of texts, whose head reads the first token."""

    def predict(most: int | None) -> torch.Tensor:
        rows = tokens if most is None else tokens.first(most)
        with shorten_last_layer(model):
            return compute_logits(model, rows, choose_device("fp32"), batch_tokens=BATCH_TOKENS, batch_size=BATCH_SIZE)

    return fold_temperature(model, labels, predict)


def fold_temperature(
    model: PreTrainedModel, labels: Ints, predict: Callable[[int | None], torch.Tensor]
) -> HeadCalibration:
    """Fit a temperature to validation rows, fold it into the head, and return it with the losses of these rows.

    So whatever runs the model gives calibrated probabilities, and the classes that it gave before. The configuration
    keeps the number as `calibration_temperature`. `predict(most)` are the logits of the rows, of the first `most` only
    if that is a number.
    """
    logits = predict(None).double().numpy()
    fitted = fit_temperature(logits, labels)
    reason = None if fitted == 1 else divide_logits(model, fitted, lambda: predict(ROWS_CHECKED))
    temperature = 1.0 if reason else fitted
    model.config.calibration_temperature = temperature
    losses = likelihood_loss(logits, labels), likelihood_loss(logits / temperature, labels)
    return HeadCalibration(temperature, *losses, reason)


def describe_scores(best: ValidationScores, calibrated: HeadCalibration) -> Document:
    """Return the scores on validation of the weights that were kept, with their temperature."""
    return {"accuracy": best.accuracy, "macro_f1": best.macro_f1, "loss": calibrated.loss_after, "step": best.step}


def divide_logits(model: PreTrainedModel, temperature: float, predict: Callable[[], torch.Tensor]) -> str | None:
    """Divide the weights and biases of the model's last layer, so that its logits are divided by `temperature`.

    Return None if the logits that `predict` gives are; otherwise leave the weights as they were and return the reason.
    """
    layer = find_output_layer(model)
    if layer is None:
        return f"{type(model).__name__} has no last linear layer outside of its encoder"
    weights = {name: weight.clone() for name, weight in layer.state_dict().items()}
    wanted = predict() / temperature
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.div_(temperature)
    if torch.allclose(predict(), wanted, rtol=LOGIT_TOLERANCE, atol=LOGIT_TOLERANCE):
        return None
    layer.load_state_dict(weights)
    return f"the last linear layer of {type(model).__name__} does not give its logits alone"


def find_output_layer(model: PreTrainedModel) -> nn.Linear | None:
    """Return the last linear layer outside of the encoder that has an output for each class; None without one."""
    inside = {id(module) for module in model.base_model.modules()}
    layers = [module for module in model.modules() if isinstance(module, nn.Linear) and id(module) not in inside]
    return next((layer for layer in reversed(layers) if layer.out_features == model.config.num_labels), None)
