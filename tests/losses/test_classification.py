"""Cross-entropy for ids and soft targets."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from hf_vft.losses.classification import balanced_class_weights, classification_loss

LOGITS = torch.randn(7, 4, generator=torch.Generator().manual_seed(0))
IDS = torch.tensor([0, 1, 2, 3, 0, 0, 1])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_soft_targets_of_one_class_are_ids(smoothing: float) -> None:
    soft = nn.functional.one_hot(IDS, 4).float()
    for weights in (None, torch.tensor([0.5, 1.0, 2.0, 3.0])):
        options = {"label_smoothing": smoothing, "class_weights": weights}
        torch.testing.assert_close(
            classification_loss(LOGITS, IDS, **options),
            classification_loss(LOGITS, soft, **options),
        )


def test_by_hand() -> None:
    log_probs = LOGITS.log_softmax(1).numpy()
    weights = np.array([2.0, 0.5, 0.5, 1.0], dtype=np.float32)
    expected = np.mean([-weights[y] * log_probs[i, y] for i, y in enumerate(IDS.tolist())])
    found = classification_loss(LOGITS, IDS, class_weights=torch.from_numpy(weights))
    assert float(found) == pytest.approx(float(expected), rel=1e-5)


def test_a_batch_may_be_cut_up_over_processes() -> None:
    """The mean of the shares is the loss of the whole, which torch's own weighting breaks."""
    weights = torch.tensor([5.0, 0.2, 1.0, 1.0])
    whole = classification_loss(LOGITS[:6], IDS[:6], class_weights=weights)
    parts = [
        classification_loss(LOGITS[a:b], IDS[a:b], class_weights=weights)
        for a, b in ((0, 3), (3, 6))
    ]
    torch.testing.assert_close(torch.stack(parts).mean(), whole)


def test_half_precision_is_computed_in_full() -> None:
    assert classification_loss(LOGITS.bfloat16(), IDS).dtype == torch.float32


def test_balanced_weights_have_mean_one_and_weigh_classes_equally() -> None:
    counts = [90, 9, 1, 0]
    weights = balanced_class_weights(counts)
    shares = [count * weight for count, weight in zip(counts, weights, strict=True)]
    assert sum(shares) == pytest.approx(100)
    assert shares[:3] == pytest.approx([100 / 3] * 3)
    assert weights[3] == 0.0
