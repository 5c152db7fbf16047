"""Where a model's stem, blocks and head are, found by structure and never by a model's name.

What is a block is said in ``blocks``; the order of the parts is that in which a forward pass calls
them (``calls``), since many families register the stems of later stages before earlier blocks.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from types import MappingProxyType
from typing import Any, TypeGuard
from weakref import WeakKeyDictionary

from torch import nn
from transformers import PreTrainedModel
from transformers.backbone_utils import BackboneMixin

from hf_vft.errors import ModelError
from hf_vft.models.blocks import SEQUENCES, chains, find_blocks, join, operations, owner
from hf_vft.models.call_order import call_order


def _is_backbone(module: nn.Module) -> bool:
    """Whether a detector takes its feature maps from it, be it of transformers or of timm."""
    if isinstance(module, BackboneMixin):
        return True
    # A network of timm has imported timm; without it, none is asked for.
    timm = sys.modules.get("timm.models")
    return timm is not None and isinstance(module, (timm.FeatureDictNet, timm.FeatureHookNet))


@dataclass(frozen=True)
class Anatomy:
    """Prefixes of parameter names, from input to output.

    Every parameter belongs to exactly one part; ``depth`` says to which.

    Attributes:
        stem: What comes before the first block (patch embedding, position embedding); the whole
            backbone where nothing in it repeats.
        blocks: The repeated blocks, in the order in which the input passes them.
        tail: What comes after the last block and before the head (final norm).
        head: The modules that turn pooled features into logits.
        joints: What stands between blocks (down-sampling), with the depth of the block of the
            same stage that it belongs to.
    """

    stem: tuple[str, ...]
    blocks: tuple[str, ...]
    tail: tuple[str, ...]
    head: tuple[str, ...]
    joints: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        depths = dict.fromkeys(self.stem, 0)
        depths |= {name: index for index, name in enumerate(self.blocks, start=1)}
        depths |= self.joints
        depths |= dict.fromkeys(self.tail, len(self.blocks))
        depths |= dict.fromkeys(self.head, self.head_depth)
        object.__setattr__(self, "joints", MappingProxyType(dict(self.joints)))
        object.__setattr__(self, "_depths", depths)

    @property
    def head_depth(self) -> int:
        """The depth of the head's parameters: one more than there are blocks."""
        return len(self.blocks) + 1

    def depth(self, parameter_name: str) -> int:
        """The depth of a parameter in the network.

        Returns:
            0 for the stem, 1 to ``len(blocks)`` for the blocks and what belongs to them (the
            tail to the last one), ``len(blocks) + 1`` for the head.

        Raises:
            ModelError: If the model has no such parameter.
        """
        depths: dict[str, int] = self._depths  # type: ignore[attr-defined]
        prefix = parameter_name
        while prefix:
            if prefix in depths:
                return depths[prefix]
            prefix = prefix.rpartition(".")[0]
        raise ModelError(f"The model whose structure was read has no parameter {parameter_name!r}.")


def anatomy(model: nn.Module) -> Anatomy:
    """Find the stem, blocks, tail and head of a model.

    Wrappers (``PeftModel``, ``DistributedDataParallel``, ``torch.compile``) are looked through;
    the names are those of ``model.named_parameters()``, wrappers included. A module with an
    attribute ``anatomy`` is taken at its word.

    Raises:
        ModelError: If no head can be found, or the model does not answer an image.
    """
    core, root = unwrap(model)
    if isinstance(known := getattr(core, "anatomy", None), Anatomy):
        return _under(root, known)
    modules = tuple(name for name, _ in core.named_modules())
    remembered = _REMEMBERED.get(core)
    if remembered is None or remembered[0] != modules:
        remembered = modules, _read(core)
        _REMEMBERED[core] = remembered
    return _under(root, remembered[1])


_REMEMBERED: WeakKeyDictionary[nn.Module, tuple[tuple[str, ...], Anatomy]] = WeakKeyDictionary()
"""What was found in a model, and the names of the modules that it had then."""


def _read(core: nn.Module) -> Anatomy:
    heads = _outside_backbone(core) or _heads(core)
    blocks = find_blocks(core, heads)
    order = _order(core)
    blocks = sorted((name for name in blocks if name in order), key=order.__getitem__)
    return _place(core, blocks, heads, order)


def _order(core: nn.Module) -> Mapping[str, int]:
    """Ranks of the modules: by calls, or by registration where the input is no image."""
    if isinstance(core, PreTrainedModel):
        return call_order(core)
    return {name: rank for rank, (name, _) in enumerate(core.named_modules())}


def head_module(model: nn.Module) -> nn.Module:
    """The one module whose input is the pooled feature, [batch, features] or [..., 1, 1].

    Raises:
        ModelError: If the model has several heads (DeiT with a distillation token).
    """
    core, _ = unwrap(model)
    heads = _heads(core)
    if len(heads) != 1:
        raise ModelError(
            f"{type(core).__name__} has {len(heads)} heads ({', '.join(heads)}): there is no one "
            "feature to cache; set training.cache_features=false."
        )
    return core.get_submodule(heads[0])


def last_linear(model: nn.Module) -> nn.Linear | nn.Conv2d:
    """The layer that gives the logits: linear, or a convolution of one pixel.

    Raises:
        ModelError: If the head holds none.
    """
    core, _ = unwrap(model)
    layers = [
        module
        for name in _heads(core)
        for module in core.get_submodule(name).modules()
        if is_linear(module)
    ]
    if not layers:
        raise ModelError(f"The head of {type(core).__name__} holds no linear layer.")
    return layers[-1]


def is_linear(module: nn.Module) -> TypeGuard[nn.Linear | nn.Conv2d]:
    """Whether a layer multiplies pooled features by one matrix."""
    if isinstance(module, nn.Conv2d):
        return set(module.kernel_size) == {1} and module.groups == 1
    return isinstance(module, nn.Linear)


def unwrap(model: nn.Module) -> tuple[nn.Module, str]:
    """The model inside all wrappers, and its name inside ``model`` (empty if not wrapped)."""
    core: Any = model
    while True:
        if isinstance(core, nn.parallel.DistributedDataParallel | nn.DataParallel):
            core = core.module
        elif hasattr(core, "_orig_mod"):
            core = core._orig_mod
        elif hasattr(core, "get_base_model"):
            core = core.get_base_model()
        else:
            break
    return core, next(name for name, module in model.named_modules() if module is core)


def _heads(core: nn.Module) -> list[str]:
    """Names of the classifiers: timm knows its own; elsewhere, what follows the backbone."""
    timm_model: Any = getattr(core, "timm_model", core)
    if isinstance(known := getattr(core, "anatomy", None), Anatomy):
        candidates = [(name, core.get_submodule(name)) for name in known.head]
    elif hasattr(timm_model, "get_classifier"):
        classifier = timm_model.get_classifier()
        classifiers = classifier if isinstance(classifier, tuple) else (classifier,)
        candidates = [(n, m) for n, m in core.named_modules() if any(m is c for c in classifiers)]
    else:
        children = list(core.named_children())
        candidates = children[_last_of_backbone(core, children) + 1 :]
    heads = [name for name, module in candidates if operations(module)]
    if not heads:
        name = type(core).__name__
        raise ModelError(
            f"{name}: its classifier cannot be told from its backbone; choose another model."
            if "For" in name
            else f"{name} has no head after its backbone: load it with a class for a task, such "
            "as AutoModelForImageClassification."
        )
    return heads


def _outside_backbone(core: nn.Module) -> list[str]:
    """What a detector of the DETR family has around its backbone; empty for other models.

    All of it counts as the head: neck, encoder, decoder and the two classifiers learn at a rate of
    their own, above that of the backbone (Carion et al. 2020).
    """
    backbone = next((name for name, m in core.named_modules() if _is_backbone(m)), "")
    if not backbone or next(chains(core.get_submodule(backbone)), None) is None:
        return []
    # Detectors share weights between their decoder and their heads: all names count.
    names = [name for name, _ in core.named_parameters(remove_duplicate=False)]
    return _modules(core, [name for name in names if owner(name, [backbone]) is None])


def _last_of_backbone(core: nn.Module, children: list[tuple[str, nn.Module]]) -> int:
    """Position of the last child that belongs to the backbone."""
    if isinstance(core, SEQUENCES):
        return len(children) - 2
    with_blocks = [i for i, (_, child) in enumerate(children) if next(chains(child), None)]
    counts = [operations(child) for _, child in children]
    return with_blocks[-1] if with_blocks else counts.index(max(counts))


def _place(
    core: nn.Module, blocks: list[str], heads: list[str], order: Mapping[str, int]
) -> Anatomy:
    """Give each parameter outside of blocks and heads its place, by the order of the calls."""
    stem: list[str] = []
    tail: list[str] = []
    between: dict[int, list[str]] = {}
    for name, _ in core.named_parameters():
        if owner(name, [*blocks, *heads]) is not None:
            continue
        rank = _rank(name, order)
        passed = sum(order[block] < rank for block in blocks)
        if passed == 0:
            stem.append(name)
        elif passed == len(blocks):
            tail.append(name)
        else:
            before, after = (_common_parts(name, b) for b in blocks[passed - 1 : passed + 1])
            between.setdefault(passed if before >= after else passed + 1, []).append(name)
    joints = {name: depth for depth, names in between.items() for name in _modules(core, names)}
    return Anatomy(
        stem=tuple(_modules(core, stem)),
        blocks=tuple(blocks),
        tail=tuple(_modules(core, tail)),
        head=tuple(heads),
        joints=joints,
    )


def _rank(name: str, order: Mapping[str, int]) -> int:
    """The rank of the module that holds a parameter, or of the nearest one around it."""
    while name:
        name = name.rpartition(".")[0]
        if name in order:
            return order[name]
    return 0


def _under(root: str, parts: Anatomy) -> Anatomy:
    """The same parts of a model that lies at ``root`` inside wrappers."""
    stem, blocks, tail, head = (
        tuple(join(root, name) for name in names)
        for names in (parts.stem, parts.blocks, parts.tail, parts.head)
    )
    joints = {join(root, name): depth for name, depth in parts.joints.items()}
    return Anatomy(stem, blocks, tail, head, joints)


def _modules(model: nn.Module, parameters: list[str]) -> list[str]:
    """The shortest list of module and parameter names that covers exactly ``parameters``."""
    remaining = list(parameters)
    covered: list[str] = []
    for name, module in model.named_modules():
        inside = [join(name, inner) for inner, _ in module.named_parameters(remove_duplicate=False)]
        if inside and set(inside) <= set(remaining):
            covered.append(name)
            remaining = [parameter for parameter in remaining if parameter not in inside]
    return remaining + covered


def _common_parts(first: str, second: str) -> int:
    """How many leading parts two dotted names share."""
    pairs = zip(first.split("."), second.split("."), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
