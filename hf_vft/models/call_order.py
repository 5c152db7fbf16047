"""Which modules a forward pass calls, and in which order: asked of the model by running it.

The order of registration is not that of the network: some families register the stems of all
stages before their blocks, and some layers are never called because another one reads their
weights. The pass runs on a copy of the modules, so hooks never sit on a model that others use, and
on the meta device where the model allows it, so it computes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import nn

from hf_vft.errors import ModelError
from hf_vft.models.private_copy import private_copy

_USUAL_SIDES = (224, 256, 384, 512, 640)


def call_order(model: nn.Module) -> dict[str, int]:
    """The rank of each module that a forward pass on an image calls.

    Args:
        model: A model that takes ``pixel_values`` ``[B, C, H, W]``, without wrappers that move
            its parameters. It is not changed.

    Returns:
        The name of each called module, with its place in the order of first calls.

    Raises:
        ModelError: If the model cannot answer an image.
    """
    reasons: list[str] = []
    for side in dict.fromkeys([*own_sides(model), *_USUAL_SIDES]):
        height, width = side if isinstance(side, tuple) else (side, side)
        # A detector reads values on its way: it needs a real pass, and no other size.
        for replicate in (_on_meta, private_copy):
            try:
                return _ordered_calls(replicate(model), height, width)
            # Whatever a family raises for a size or a device that it does not take.
            except Exception as error:  # noqa: BLE001
                reasons.append(" ".join(str(error).split())[:120] or type(error).__name__)
    # The second reason is that of the model's own size, on its own device.
    raise ModelError(
        f"{type(model).__name__} does not answer an image given as pixel_values "
        f"({reasons[1]}); choose another model, such as a vit, convnext or resnet."
    )


def own_sides(model: nn.Module) -> Iterator[int | tuple[int, int]]:
    """The input sizes in pixels that a model's configuration names: a side, or height and width."""
    config = getattr(model, "config", None)
    parts = [config, *(getattr(config, n, None) for n in ("vision_config", "backbone_config"))]
    for part in parts:
        for name in ("image_size", "eval_size", "anchor_image_size"):
            yield from _as_size(getattr(part, name, None))
        yield from _as_size((getattr(part, "model_args", None) or {}).get("img_size"))
        yield from _as_size((getattr(part, "pretrained_cfg", None) or {}).get("input_size"))


def _on_meta(model: nn.Module) -> nn.Module:
    """A copy that knows shapes and holds no values."""
    return private_copy(
        model,
        lambda value: (
            nn.Parameter(value.detach().to("meta"), requires_grad=False)
            if isinstance(value, nn.Parameter)
            else value.to("meta")
        ),
    )


@torch.no_grad()
def _ordered_calls(model: nn.Module, height: int, width: int) -> dict[str, int]:
    order: dict[str, int] = {}

    def note(name: str) -> Callable[..., None]:
        def hook(*_: object) -> None:
            order.setdefault(name, len(order))

        return hook

    for name, module in model.named_modules():
        module.register_forward_pre_hook(note(name))
    first = next(model.parameters())
    channels = getattr(getattr(model, "config", None), "num_channels", None) or 3
    pixels = torch.zeros(1, channels, height, width, dtype=first.dtype, device=first.device)
    model.eval()(pixel_values=pixels)
    return order


def _as_size(value: object) -> Iterator[int | tuple[int, int]]:
    if isinstance(value, int):
        yield value
    elif isinstance(value, list | tuple) and len(value) >= 2:
        yield int(value[-2]), int(value[-1])
