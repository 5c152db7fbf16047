"""Low-rank adapters (Hu et al. 2021) through peft, with targets found by structure.

peft knows no targets for vision models and does not save a new head by itself: both are named
here explicitly, so that the saved adapter loads in plain peft.
"""

from __future__ import annotations

import copy
from typing import Any

import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn
from transformers import PreTrainedModel
from transformers.conversion_mapping import get_model_conversion_mapping

from hf_vft.errors import ModelError
from hf_vft.models.backbones import SCRATCH
from hf_vft.models.call_order import call_order
from hf_vft.models.load import LoadedModel
from hf_vft.models.modules_to_save import modules_to_save, tie_copies
from hf_vft.models.processors import input_side
from hf_vft.models.structure import anatomy
from hf_vft.models.tied import tied_parameters
from hf_vft.recipe.schema import LoraRecipe


def lora_targets(model: nn.Module, rank: int = 1) -> list[str]:
    """Names of the layers in the blocks that get an adapter.

    The linear layers of attention and MLP, which include the pointwise layers of a ConvNeXt; in
    a network without linear layers in its blocks, the convolutions that peft can merge. A layer
    that a forward pass does not call, since another one reads its weights, is left out: an
    adapter beside it would never learn.

    Args:
        model: Not wrapped.
        rank: Layers that are not larger than this on both sides are left out: an adapter of
            this rank would not be smaller than they are.

    Raises:
        ModelError: If there is no such layer.
    """
    called = call_order(model)
    usable = [(name, layer) for name, layer in _layers_of_blocks(model) if name in called]
    if not usable:
        raise ModelError(
            f"{type(model).__name__} has no layer in its blocks that peft can adapt and merge: it "
            f"takes linear layers and plain convolutions, and these are {_kinds(model)}; leave "
            "model.lora out."
        )
    layers = [(name, layer) for name, layer in usable if min(layer.weight.shape[:2]) > rank]
    linear = [name for name, layer in layers if isinstance(layer, nn.Linear)]
    targets = linear or [name for name, _ in layers]
    if not targets:
        raise ModelError(
            f"{type(model).__name__} has no layer for an adapter of rank {rank} in its blocks: "
            "lower model.lora.r, or leave model.lora out."
        )
    return targets


def uncalled_layers(model: nn.Module) -> list[str]:
    """Last parts of the names of layers whose weights are read without a call.

    Args:
        model: Not wrapped.
    """
    called = call_order(model)
    return sorted(
        {name.rpartition(".")[2] for name, _ in _layers_of_blocks(model) if name not in called}
    )


def short_targets(model: nn.Module, rank: int = 1) -> list[str]:
    """`lora_targets` by the last part of their names, where that means the same layers."""
    targets = lora_targets(model, rank)
    last = sorted({name.rpartition(".")[2] for name in targets})
    matched = {name for name, _ in model.named_modules() if name.rpartition(".")[2] in last}
    return last if matched == set(targets) else targets


def check_lora(loaded: LoadedModel, recipe: LoraRecipe) -> None:
    """Say before a training what plain peft could not run, merge or load.

    Raises:
        ModelError: If the model is not that of its checkpoint, or as `lora_config` does.
    """
    if loaded.refitted:
        raise ModelError(
            f"model.lora with image.size={input_side(loaded.processor)}: the position embeddings "
            f"of {loaded.checkpoint.name} are refitted to that size, so that the adapter would not "
            "load on the plain checkpoint; leave image.size on auto, or leave model.lora out."
        )
    if loaded.built:
        raise ModelError(
            f"model.lora: the detector is built here on the backbone of {loaded.checkpoint.name}, "
            "so that there is no checkpoint that the adapter would load on; name a detector, such "
            "as PekingU/rtdetr_v2_r18vd, or leave model.lora out."
        )
    lora_config(loaded.model, recipe)


def lora_config(model: PreTrainedModel, recipe: LoraRecipe) -> LoraConfig:
    """The configuration of peft; made before training, it reports settings that are impossible.

    Args:
        model: With its new head, not wrapped.
        recipe: The section ``model.lora``.

    Raises:
        ModelError: If the weights under the adapters would be lost with the run (a backbone from
            scratch), a named target is not there, or plain peft could not run, merge or load the
            adapter.
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
    if any(hasattr(module, "base_layer") for module in model.modules()):
        raise ModelError(
            f"LoRA on {type(model).__name__}: a part of it is called base_layer, which peft takes "
            "for an adapter and cannot merge; leave model.lora out."
        )
    targets = lora_targets(model, recipe.r) if recipe.target == "auto" else list(recipe.target)
    if recipe.target != "auto":
        _check_targets(model, targets)
    return LoraConfig(
        r=recipe.r,
        lora_alpha=recipe.alpha,  # type: ignore[arg-type]  # declared int, used as a factor
        lora_dropout=recipe.dropout,
        target_modules=targets,
        modules_to_save=modules_to_save(model),
    )


def add_lora(model: Any, recipe: LoraRecipe) -> PeftModel:
    """Freeze a model and put adapters beside its layers; the head is copied and learns in full.

    Args:
        model: With its new head, not wrapped; it is changed in place.
        recipe: The section ``model.lora``.

    Raises:
        ModelError: As `lora_config` does.
    """
    config, tied = lora_config(model, recipe), tied_parameters(model)
    if _asked_for_embeddings(model):
        model.get_input_embeddings = nn.Identity  # peft asks, and there are none
    adapted = get_peft_model(model, config)
    tie_copies(adapted, tied)
    return adapted


def merged(model: nn.Module) -> nn.Module:
    """A plain model with the adapters added to its weights; ``model`` keeps them.

    A model without adapters is given back as it is.
    """
    whole: Any = model
    if isinstance(model, PeftModel):
        # Copies that share their weights still do so, and what was not tied is not tied now.
        whole = copy.deepcopy(model).merge_and_unload(safe_merge=True)
    plain: nn.Module = whole
    return plain


def how_to_load(adapted: PeftModel) -> str:
    """The text that goes with a saved adapter: how plain peft loads it, in Markdown."""
    model: Any = adapted.get_base_model()
    kind = type(model).__name__
    # peft asks a model whose weights are tied for embeddings of words, which a detector has not;
    # it does not where the configuration says that nothing is tied. The adapter holds every copy.
    untied = "    tie_word_embeddings=False,\n" * _asked_for_embeddings(model)
    return f"""The adapter as it was trained, for plain `peft`; `model/` holds the same, merged.

```python
from peft import PeftConfig, PeftModel
from transformers import {kind}

base = {kind}.from_pretrained(
    PeftConfig.from_pretrained("adapter").base_model_name_or_path,
    num_labels={model.config.num_labels},
    ignore_mismatched_sizes=True,
{untied})
model = PeftModel.from_pretrained(base, "adapter").eval()
```
"""


def _asked_for_embeddings(model: Any) -> bool:
    """Whether plain peft would ask a model for its embeddings of words, and get an error."""
    if not isinstance(getattr(model, "_tied_weights_keys", None), dict):
        return False
    if getattr(model.config, "tie_word_embeddings", None) is False:
        return False
    try:
        type(model).get_input_embeddings(model)
    except NotImplementedError:
        return True
    return False


def _layers_of_blocks(model: nn.Module) -> list[tuple[str, Any]]:
    return [
        (f"{block}.{name}".rstrip("."), layer)
        for block in anatomy(model).blocks
        for name, layer in model.get_submodule(block).named_modules()
        if _adaptable(layer)
    ]


def _kinds(model: nn.Module) -> str:
    """The classes of the matrix layers in the blocks."""
    kinds = {
        type(layer).__name__
        for block in anatomy(model).blocks
        for layer in model.get_submodule(block).modules()
        if any(p.ndim >= 2 for p in layer.parameters(recurse=False))
    }
    return ", ".join(sorted(kinds))


def _adaptable(layer: nn.Module) -> bool:
    """Whether peft's adapter computes the same beside a layer as merged into it.

    It forgets groups, dilation and another padding than zeros. Subclasses are left out, which
    pad, scale or standardise in ways that the adapter would not, and so are layers whose weight is
    computed from others (weight normalisation).
    """
    if "weight" not in layer._parameters:
        return False
    if type(layer) is nn.Conv2d:
        return layer.groups == 1 and layer.dilation == (1, 1) and layer.padding_mode == "zeros"
    return isinstance(layer, nn.Linear) and type(layer).forward is nn.Linear.forward


def _check_targets(model: nn.Module, targets: list[str]) -> None:
    """Every named target has to match, and only layers that are called, adapted and merged."""
    layers, called = dict(model.named_modules()), call_order(model)
    for target in targets:
        matched = [name for name in layers if name == target or name.endswith(f".{target}")]
        if not matched:
            raise ModelError(f"model.lora.target: {_missing(model, target)}")
        for name in matched:
            if not _adaptable(layers[name]):
                raise ModelError(
                    f"model.lora.target: {name} is a {type(layers[name]).__name__} that cannot "
                    "carry an adapter; name linear layers, or plain convolutions."
                )
            if name not in called:
                raise ModelError(
                    f"model.lora.target: the forward pass does not call {name}, it reads its "
                    f"weights, so an adapter would not learn; name {_examples(model)}."
                )


def _missing(model: Any, target: str) -> str:
    """Says what there is in place of a layer; transformers knows what was renamed."""
    present = {name.rpartition(".")[2] for name, _ in model.named_modules()}
    renamed = {
        new.rpartition(".")[2]
        for renaming in get_model_conversion_mapping(model)
        for old, new in zip(renaming.source_patterns, renaming.target_patterns, strict=False)
        if old.rpartition(".")[2] == target.rpartition(".")[2]
    }
    if renamed & present:
        return (
            f"transformers {transformers.__version__} calls {target!r} "
            f"{' or '.join(map(repr, sorted(renamed & present)))}; name that."
        )
    return f"no layer is called {target!r}; there are {_examples(model)}."


def _examples(model: nn.Module) -> str:
    return ", ".join(sorted({name.rpartition(".")[2] for name in lora_targets(model)}))
