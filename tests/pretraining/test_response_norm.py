import copy

import pytest
import torch
from transformers.models.convnextv2.modeling_convnextv2 import ConvNextV2GRN

from hf_vft.pretraining.pretrain import make_trainer, new_backbone
from hf_vft.pretraining.response_norm import QuickGRN, quicken_norms
from tests.pretraining.test_pretrain import CONVNEXT, VIT, recipe


@pytest.fixture
def both():
    """A network as transformers computes it, and the quick way; its norms do something."""
    plain = new_backbone(recipe(CONVNEXT))
    with torch.no_grad():
        for name, weights in plain.named_parameters():
            if ".grn." in name:
                weights.normal_()
    quick = copy.deepcopy(plain)
    quicken_norms(quick)
    return plain, quick


def test_it_answers_and_learns_as_transformers_does(both):
    images = torch.randn(2, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    plain, quick = (model(pixel_values=images).logits for model in both)
    torch.testing.assert_close(quick, plain)
    for answer in (plain, quick):
        answer.square().sum().backward()
    for ours, theirs in zip(both[1].parameters(), both[0].parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-3, atol=1e-4)


def test_all_zero_features_have_a_slope(both):
    norm = next(m for m in both[1].modules() if isinstance(m, QuickGRN))
    features = torch.zeros(1, 2, 2, norm.weight.shape[-1], requires_grad=True)
    norm(features).sum().backward()
    assert features.grad.isfinite().all()


@pytest.mark.parametrize(("config", "norms"), [(CONVNEXT, 2), (VIT, 0)])
def test_a_pretraining_computes_the_norms_that_there_are_the_quick_way(config, norms, tmp_path):
    trainer = make_trainer(recipe(config), tmp_path)
    assert sum(isinstance(m, QuickGRN) for m in trainer.model.modules()) == norms
    assert not any(type(m) is ConvNextV2GRN for m in trainer.model.modules())
