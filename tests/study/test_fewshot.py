"""An arm of the study, fine-tuned on a budget of a tiny task."""

import numpy as np
import pytest
import torch

from pipeline.kinds.text_classification.learning import LEARNING
from pipeline.settings.study import StudyParams
from pipeline.study import fewshot
from pipeline.study.budget import draw_budget
from pipeline.study.fewshot import finetune_arm
from tests.given.studies import make_examples
from tests.given.training import with_params


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_test_rows_are_predicted_in_fp32_whatever_the_training_computes_in(encoder, monkeypatch, precision):
    """As `evaluate` does, and as a probe, so that arms differ in their training alone."""
    seen = []
    real = fewshot.compute_logits

    def note(model, tokens, device, **options):
        seen.append((device.precision, real(model, tokens, device, **options)))
        return seen[-1][1]

    monkeypatch.setattr(fewshot, "compute_logits", note)
    finetune = with_params(epochs=1, precision=precision, evaluations=1)
    params = StudyParams(
        task="t", arm="a", labels=24, seed=0, initial="pretrained", max_length=16, min_steps=2, extract=None,
        probe=None, finetune=finetune,
    )  # fmt: skip
    budget = draw_budget(make_examples(), labels=24, seed=0)
    predicted, _ = finetune_arm(params, finetune, LEARNING, encoder, budget)
    ((used, logits),) = seen
    assert used == "fp32"
    assert logits.dtype == torch.float32
    assert np.array_equal(predicted, logits.argmax(dim=-1).numpy())
