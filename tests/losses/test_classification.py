"""Cross-entropy for ids and soft targets."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from hf_vft.losses.classification import (
    balanced_class_weights,
    class_priors,
    classification_loss,
    effective_class_weights,
    focal_loss,
    generalised_cross_entropy,
    logit_adjusted_loss,
)
from hf_vft.tasks.classification import LOSSES

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


HALF = torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.2, 0.6, 0.2]]))
"""Logits whose probabilities can be read off."""


def test_focal_loss_by_hand() -> None:
    """Probabilities 0.5 and 0.6 of the truth: (0.5² · 0.6931 + 0.4² · 0.5108) / 2 = 0.1275."""
    assert float(focal_loss(HALF, torch.tensor([0, 1]))) == pytest.approx(0.12751, abs=1e-5)


def test_generalised_cross_entropy_by_hand() -> None:
    """q = 0.7: (1 - 0.6156 + 1 - 0.6994) / 0.7 / 2 = 0.4893."""
    found = generalised_cross_entropy(HALF, torch.tensor([0, 1]))
    assert float(found) == pytest.approx(0.48933, abs=1e-5)
    error = generalised_cross_entropy(HALF, torch.tensor([0, 1]), q=1.0)
    assert float(error) == pytest.approx(0.45), "1 - p, on average"


def test_logit_adjusted_loss_by_hand() -> None:
    """0.5 · 0.1 of 0.5 · 0.1 + 0.25 · 0.3 + 0.25 · 0.6 = 0.275 is 0.1818: minus its log, 1.7047."""
    priors = torch.tensor([0.1, 0.3, 0.6])
    found = logit_adjusted_loss(HALF[:1], torch.tensor([0]), priors=priors)
    assert float(found) == pytest.approx(1.70475, abs=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("soft", [False, True])
def test_the_others_hold_cross_entropy_as_a_special_case(smoothing: float, soft: bool) -> None:
    targets = nn.functional.one_hot(IDS, 4).float() * 0.7 + 0.075 if soft else IDS
    weights = torch.tensor([0.5, 1.0, 2.0, 3.0])
    options = {"label_smoothing": smoothing, "class_weights": weights}
    expected = classification_loss(LOGITS, targets, **options)
    torch.testing.assert_close(focal_loss(LOGITS, targets, gamma=0.0, **options), expected)
    near = generalised_cross_entropy(LOGITS.double(), targets, q=1e-4, **options)
    torch.testing.assert_close(near.float(), expected, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(logit_adjusted_loss(LOGITS, targets, **options), expected)


def test_a_wrong_label_pulls_less_than_under_cross_entropy() -> None:
    """The gradient of an image that the model is sure has another label."""
    pulls = {}
    for name, loss in LOSSES.items():
        logits = torch.tensor([[6.0, 0.0]], requires_grad=True)
        loss(logits, torch.tensor([1])).backward()
        assert logits.grad is not None
        pulls[name] = float(logits.grad.abs().max())
    assert pulls["generalised_cross_entropy"] < 0.05 * pulls["cross_entropy"]


def test_adjusted_logits_answer_as_if_classes_were_equally_frequent() -> None:
    """Images that tell nothing: 90 of one class and 10 of another end at equal logits."""
    labels = torch.tensor([0] * 90 + [1] * 10)
    bias = torch.zeros(2, requires_grad=True)
    optimizer = torch.optim.LBFGS([bias], max_iter=50)
    priors = torch.tensor([0.9, 0.1])

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = logit_adjusted_loss(bias.expand(100, 2), labels, priors=priors)
        loss.backward()
        return loss

    optimizer.step(closure)
    assert float((bias[0] - bias[1]).abs()) < 1e-3


def test_effective_weights_by_hand() -> None:
    """beta = 0.5: 1, 2 and 3 images count as 1, 1.5 and 1.75."""
    raw = [1.0, 1 / 1.5, 1 / 1.75]
    mean = (raw[0] + 2 * raw[1] + 3 * raw[2]) / 6
    found = effective_class_weights([1, 2, 3], beta=0.5)
    assert found == pytest.approx([weight / mean for weight in raw])
    assert effective_class_weights([7, 70, 0], beta=0.0)[:2] == pytest.approx([1.0, 1.0])
    assert effective_class_weights([7, 0])[1] == 0.0


def test_priors_of_absent_classes_are_not_nothing() -> None:
    assert class_priors([8, 0]) == pytest.approx([0.9, 0.1])
