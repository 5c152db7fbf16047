"""Low-rank adapters (Hu et al. 2021) through peft, with targets found by structure.

peft knows no targets for vision models and does not save a new head by itself: both are named
here explicitly, so that the saved adapter loads in plain peft.
"""

from __future__ import annotations

import copy
from typing import Any

from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn

from hf_vft.errors import ModelError
from hf_vft.models.backbones import SCRATCH
from hf_vft.models.structure import anatomy
from hf_vft.recipe import LoraRecipe


def lora_targets(model: nn.Module, rank: int = 1) -> list[str]:
    """Names of the layers in the blocks that get an adapter.

    The linear layers of attention and MLP, which include the pointwise layers of a ConvNeXt; in
    a network without linear layers in its blocks, the convolutions that peft can merge (neither
    grouped nor dilated).

    Args:
        model: Not wrapped.
        rank: Layers that are not larger than this on both sides are left out: an adapter of
            this rank would not be smaller than they are.

    Raises:
        ModelError: If there is no such layer.
    """
    layers = [
        (f"{block}.{name}".rstrip("."), layer)
        for block in anatomy(model).blocks
        for name, layer in _layers(model.get_submodule(block))
        if min(layer.weight.shape[:2]) > rank
    ]
    linear = [name for name, layer in layers if isinstance(layer, nn.Linear)]
    convolutions = [name for name, layer in layers if _mergeable(layer)]
    targets = linear or convolutions
    if not targets:
        raise ModelError(
            f"{type(model).__name__} has no layer for an adapter of rank {rank} in its blocks: "
            "lower model.lora.r, or leave model.lora out."
        )
    return targets


def saved_modules(model: nn.Module) -> list[str]:
    """Names of the modules of the head, as peft has to be told which to train and save whole.

    peft takes a name for the end of a name, and takes no lists of modules: where the encoder of a
    detector is called as that of its backbone, or is a list, its parts are named. What only shares
    the weights of another part is left out.
    """
    names = [name for name, _ in model.named_modules()]
    covered: set[int] = set()
    found: list[str] = []

    def visit(name: str, module: nn.Module) -> None:
        own = {id(parameter) for parameter in module.parameters()}
        if own <= covered:
            return
        children = list(module.named_children())
        ambiguous = sum(other.endswith(name) for other in names) > 1
        if children and (ambiguous or isinstance(module, nn.ModuleList)):
            for child_name, child in children:
                visit(f"{name}.{child_name}", child)
            return
        found.append(name)
        covered.update(own)

    for name in anatomy(model).head:
        visit(name, model.get_submodule(name))
    return found


def short_targets(model: nn.Module, rank: int = 1) -> list[str]:
    """`lora_targets` by the last part of their names, where that means the same layers."""
    targets = lora_targets(model, rank)
    last = sorted({name.rpartition(".")[2] for name in targets})
    matched = {name for name, _ in model.named_modules() if name.rpartition(".")[2] in last}
    return last if matched == set(targets) else targets


def add_lora(model: Any, config: LoraRecipe) -> PeftModel:
    """Freeze a model and put adapters beside its layers; the head is copied and learns in full.

    Args:
        model: With its new head, not wrapped; it is changed in place.
        config: From the recipe.

    Raises:
        ModelError: If the weights under the adapters would be lost with the run (a backbone from
            scratch), a named target is not there, or peft cannot adapt it.
    """
    if getattr(model, "name_or_path", None) in SCRATCH:
        raise ModelError(
            f"LoRA on {model.name_or_path}: adapters need a pre-trained backbone under them; name "
            "one in model.candidates, or leave model.lora out."
        )
    if getattr(model.config, "tf_padding", False):
        raise ModelError(
            f"LoRA on {type(model).__name__}: it computes its padding from its convolutions, which "
            "peft's adapters hide; leave model.lora out."
        )
    targets = lora_targets(model, config.r) if config.target == "auto" else list(config.target)
    if config.target != "auto":
        _check_targets(model, targets)
    _without_embeddings(model)
    return get_peft_model(
        model,
        LoraConfig(
            r=config.r,
            lora_alpha=config.alpha,  # type: ignore[arg-type]  # declared int, used as a factor
            lora_dropout=config.dropout,
            target_modules=targets,
            modules_to_save=saved_modules(model),
        ),
    )


def merged(model: Any) -> nn.Module:
    """A plain model with the adapters added to its weights; ``model`` keeps them.

    A model without adapters is given back as it is.
    """
    whole: Any = model
    if isinstance(model, PeftModel):
        whole = copy.deepcopy(model).merge_and_unload(safe_merge=True)
        # What shares the weights of a part of the head still has those from before the training.
        whole.tie_weights()
    plain: nn.Module = whole
    return plain


def _without_embeddings(model: Any) -> None:
    """Answer peft, which asks any model that shares weights for its embeddings of words."""
    try:
        model.get_input_embeddings()
    except NotImplementedError:
        model.get_input_embeddings = nn.Identity


def _layers(block: nn.Module) -> list[tuple[str, Any]]:
    """Linear layers and convolutions; those inside torch's own attention cannot be replaced."""
    inside = tuple(
        f"{name}." for name, m in block.named_modules() if isinstance(m, nn.MultiheadAttention)
    )
    return [
        (name, layer)
        for name, layer in block.named_modules()
        if isinstance(layer, nn.Linear | nn.Conv2d) and not name.startswith(inside)
    ]


def _mergeable(layer: nn.Module) -> bool:
    """Whether peft's adapter computes the same beside the convolution as merged into it.

    Subclasses are left out: they pad or standardise in ways that the adapter would not.
    """
    return type(layer) is nn.Conv2d and layer.groups == 1 and layer.dilation == (1, 1)


def _check_targets(model: nn.Module, targets: list[str]) -> None:
    """Every named target has to match, and only layers that can be adapted and merged."""
    layers = dict(model.named_modules())
    for target in targets:
        matched = [name for name in layers if name == target or name.endswith(f".{target}")]
        if not matched:
            examples = sorted({name.rpartition(".")[2] for name in lora_targets(model)})
            raise ModelError(
                f"model.lora.target: no layer is called {target!r}; there are "
                f"{', '.join(examples)}."
            )
        for name in matched:
            if not isinstance(layers[name], nn.Linear) and not _mergeable(layers[name]):
                raise ModelError(
                    f"model.lora.target: {name} is a {type(layers[name]).__name__} that cannot "
                    "carry an adapter; name linear layers, or plain convolutions."
                )
