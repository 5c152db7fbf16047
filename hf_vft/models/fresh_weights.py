"""What a detector that was never trained starts from."""

from __future__ import annotations

from torch import nn
from transformers import PreTrainedModel

PRIOR = 0.01
"""Probability that a new class head gives each query (Lin et al. 2017)."""

DRAWN = (nn.Linear, nn.Conv2d, nn.BatchNorm2d, nn.Embedding)

AS_IT_IS = "denoising_class_embed"
"""Of the noisy boxes in RT-DETR's training. As loud as its authors draw it (deviation 1), two seeds
of two took longer to learn 205 photographs of blood (mAP50 of validation after two epochs: 0.24
and 0.36 against 0.45 and 0.53)."""

START_AT_ZERO = ("enc_bbox_head", "pre_bbox_head")
"""Heads that change a box, which to begin with they leave as it is."""


def draw_weights(model: PreTrainedModel, kept: nn.Module | None = None) -> None:
    """Draw the weights of a detector in place, as the authors of these networks do.

    transformers is made for loading them, and what it draws hardly learns. In RT-DETR the scales
    of BatchNorm and in all families the layers have a deviation of 0.01 or 0.02, and at usual
    rates it takes thousands of steps to get out of there; all queries of YOLOS are alike, and no
    patch of it knows its place.

    Args:
        model: Of the DETR family, or YOLOS.
        kept: Its backbone, which stays as it is.
    """
    rest = _modules(model, kept)
    for name, module in rest:
        if isinstance(module, DRAWN) and not name.endswith(AS_IT_IS):
            module.reset_parameters()
    for _, module in rest:
        if not isinstance(module, DRAWN):
            # What has a start of its own, such as class heads and where an attention looks.
            model._init_weights(module)  # type: ignore[no-untyped-call]
            _tell_apart(module)
    for name, module in model.named_modules():
        if name.endswith(START_AT_ZERO):
            last = [part for part in module.modules() if isinstance(part, nn.Linear)][-1]
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)


def _modules(model: nn.Module, kept: nn.Module | None) -> list[tuple[str, nn.Module]]:
    outside = set() if kept is None else set(kept.modules())
    return [(name, module) for name, module in model.named_modules() if module not in outside]


def _tell_apart(module: nn.Module) -> None:
    """Tokens and places that are all zero get values of their own."""
    for parameter in module.parameters(recurse=False):
        if parameter.ndim > 1 and not parameter.any():
            nn.init.trunc_normal_(parameter, std=0.02)
