import numpy as np
import torch

from pipeline.finetune.head import find_output_layer
from pipeline.kinds.multi_label_classification.objective import LABEL_SETS, SetRows
from pipeline.models.folder import build_classifier
from tests.given.encoder import make_encoder
from tests.given.training import DEVICE, rows


def test_the_head_starts_at_the_share_of_each_class(tmp_path):
    labels = np.zeros((98, 3), bool)
    labels[:49, 0] = labels[:9, 1] = True
    model = build_classifier(make_encoder(tmp_path / "encoder"), ["a", "b", "c"], dropout=0.0, seed=0)
    train = SetRows(rows(98).tokens, labels, rows(98).ids)
    LABEL_SETS.prepare(model, train, None, DEVICE)
    shares = torch.sigmoid(find_output_layer(model).bias.detach())
    assert torch.allclose(shares, torch.tensor([0.5, 0.1, 0.01]))
