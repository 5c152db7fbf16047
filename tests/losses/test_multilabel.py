"""Losses for several labels an image."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from hf_vft.losses.multilabel import asymmetric_loss, binary_loss, positive_weights

LOGITS = 3 * torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
MARKS = torch.tensor([[1, 0, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1]] * 2)


def test_binary_loss_is_that_of_torch() -> None:
    expected = F.binary_cross_entropy_with_logits(LOGITS, MARKS.float())
    torch.testing.assert_close(binary_loss(LOGITS, MARKS), expected)


@pytest.mark.parametrize("loss", [binary_loss, asymmetric_loss])
def test_smoothing_moves_targets_towards_a_half(loss) -> None:
    soft = MARKS * 0.8 + 0.1
    torch.testing.assert_close(loss(LOGITS, MARKS, label_smoothing=0.2), loss(LOGITS, soft))


def test_asymmetric_loss_without_asymmetry_is_the_binary_one() -> None:
    plain = {"gamma_absent": 0.0, "gamma_present": 0.0, "clip": 0.0}
    for weights in (None, torch.tensor([1.0, 3.0, 0.5, 2.0])):
        torch.testing.assert_close(
            asymmetric_loss(LOGITS, MARKS, class_weights=weights, **plain),
            binary_loss(LOGITS, MARKS, class_weights=weights),
        )


def test_asymmetric_loss_by_hand() -> None:
    """Formula 4 to 6 of the paper, for one present and one absent label."""
    p = torch.sigmoid(torch.tensor([[0.3, -0.7]]))
    shifted = p[0, 1] - 0.05
    present = (1 - p[0, 0]) * p[0, 0].log()
    absent = shifted**4 * (1 - shifted).log()
    found = asymmetric_loss(torch.tensor([[0.3, -0.7]]), torch.tensor([[1, 0]]))
    torch.testing.assert_close(found, -(present + absent) / 2)


def test_absent_labels_that_are_learned_move_nothing() -> None:
    logits = torch.tensor([[-4.0, 1.0]], requires_grad=True)
    asymmetric_loss(logits, torch.tensor([[0, 0]])).backward()
    assert logits.grad is not None
    assert logits.grad[0, 0] == 0
    assert logits.grad[0, 1] > 0


def test_extreme_logits_stay_finite() -> None:
    logits = torch.tensor([[200.0, -200.0, 200.0, -200.0]], requires_grad=True)
    loss = asymmetric_loss(logits, torch.tensor([[0, 1, 1, 0]]))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()


def test_weights_make_up_for_rare_classes_within_bounds() -> None:
    assert positive_weights([50, 10, 1, 0, 100], 100) == pytest.approx([1, 9, 20, 20, 0.05])
