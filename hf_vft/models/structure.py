"""Where a model's stem, blocks and head are, found by structure and never by a model's name.

A *chain* is a sequence (``nn.ModuleList`` or ``nn.Sequential``) whose elements each do several
matrix operations: the layers of a ViT, the stages of a Swin, the residual layers of a ResNet. A
chain inside an element of a chain (the blocks of a stage) takes that element's place, so
hierarchical models end up as one flat list of blocks from input to output.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from types import MappingProxyType
from typing import Any

from torch import nn
from transformers.backbone_utils import BackboneMixin

from hf_vft.errors import ModelError

SEQUENCES = (nn.ModuleList, nn.Sequential)


@dataclass(frozen=True)
class Anatomy:
    """Prefixes of parameter names, from input to output.

    Every parameter belongs to exactly one part; ``depth`` says to which.

    Attributes:
        stem: What comes before the first block (patch embedding, position embedding).
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
        """How deep a parameter lies.

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
        ModelError: If no head or no repeated blocks can be found.
    """
    core, root = unwrap(model)
    if isinstance(known := getattr(core, "anatomy", None), Anatomy):
        return _under(root, known)
    heads = _outside_backbone(core) or _heads(core)
    blocks = _blocks(core, heads) or _longest_sequence(core, heads)
    if not blocks:
        raise ModelError(
            f"No repeated blocks found in {type(core).__name__}: this model cannot be frozen or "
            "trained by blocks; choose another one."
        )
    return _place(
        model, [_join(root, name) for name in blocks], [_join(root, name) for name in heads]
    )


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


def last_linear(model: nn.Module) -> nn.Linear:
    """The linear layer that gives the logits.

    Raises:
        ModelError: If the head holds none.
    """
    core, _ = unwrap(model)
    linears = [
        module
        for name in _heads(core)
        for module in core.get_submodule(name).modules()
        if isinstance(module, nn.Linear)
    ]
    if not linears:
        raise ModelError(f"The head of {type(core).__name__} holds no linear layer.")
    return linears[-1]


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


def operations(module: nn.Module) -> int:
    """How many matrix operations (linear layers, convolutions) a module holds.

    A layer with an adapter counts once: the adapter stands beside the layer, not after it.
    """
    if hasattr(module, "base_layer"):
        return 1
    own = any(parameter.ndim >= 2 for parameter in module.parameters(recurse=False))
    inner = sum(operations(child) for child in module.children())
    return inner or int(own and not isinstance(module, nn.Embedding))


def _heads(core: nn.Module) -> list[str]:
    """Names of the classifiers: timm knows its own; elsewhere, what follows the backbone."""
    timm_model: Any = getattr(core, "timm_model", core)
    if isinstance(known := getattr(core, "anatomy", None), Anatomy):
        candidates = [(name, core.get_submodule(name)) for name in known.head]
    elif hasattr(timm_model, "get_classifier"):
        found = timm_model.get_classifier()
        classifiers = found if isinstance(found, tuple) else (found,)
        candidates = [(n, m) for n, m in core.named_modules() if any(m is c for c in classifiers)]
    else:
        children = list(core.named_children())
        candidates = children[_last_of_backbone(core, children) + 1 :]
    heads = [name for name, module in candidates if operations(module)]
    if not heads:
        raise ModelError(
            f"{type(core).__name__} has no head after its backbone: load it with a class for a "
            "task, such as AutoModelForImageClassification."
        )
    return heads


def _outside_backbone(core: nn.Module) -> list[str]:
    """What a detector of the DETR family has around its backbone; empty for other models.

    All of it counts as the head: neck, encoder, decoder and the two classifiers learn at a rate of
    their own, above that of the backbone (Carion et al. 2020).
    """
    backbone = next((name for name, m in core.named_modules() if isinstance(m, BackboneMixin)), "")
    if not backbone or next(_chains(core.get_submodule(backbone)), None) is None:
        return []
    # Detectors share weights between their decoder and their heads: all names count.
    names = [name for name, _ in core.named_parameters(remove_duplicate=False)]
    return _modules(core, [name for name in names if _owner(name, [backbone]) is None])


def _last_of_backbone(core: nn.Module, children: list[tuple[str, nn.Module]]) -> int:
    """Position of the last child that belongs to the backbone."""
    if isinstance(core, SEQUENCES):
        return len(children) - 2
    with_blocks = [i for i, (_, child) in enumerate(children) if next(_chains(child), None)]
    counts = [operations(child) for _, child in children]
    return with_blocks[-1] if with_blocks else counts.index(max(counts))


def _is_chain(module: nn.Module) -> bool:
    """Whether most elements of a sequence do several matrix operations each.

    Most, not all: some networks end their stages with a single convolution. A convolution with
    its norm and activation is one operation, so the inside of a residual layer is no chain.
    """
    if not isinstance(module, SEQUENCES):
        return False
    counts = [n for n in map(operations, module) if n]
    return sum(n >= 2 for n in counts) > len(counts) / 2


def _chains(module: nn.Module, name: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The outermost chains in a module, itself included, in order of registration."""
    if _is_chain(module):
        yield name, module
        return
    for child_name, child in module.named_children():
        yield from _chains(child, _join(name, child_name))


def _blocks(module: nn.Module, heads: list[str], name: str = "") -> list[str]:
    """Names of the innermost elements of all chains outside of the heads."""
    found: list[str] = []
    for chain_name, chain in _chains(module, name):
        for index, element in chain.named_children():
            element_name = _join(chain_name, index)
            if operations(element) and _owner(element_name, heads) is None:
                found += _blocks(element, heads, element_name) or [element_name]
    return found


def _longest_sequence(core: nn.Module, heads: list[str]) -> list[str]:
    """Elements of the longest sequence, for networks that are a row of single convolutions."""
    rows = [
        [_join(name, index) for index, element in module.named_children() if operations(element)]
        for name, module in core.named_modules()
        if isinstance(module, SEQUENCES)
    ]
    rows = [[name for name in row if _owner(name, heads) is None] for row in rows]
    longest = max(rows, key=len, default=[])
    return longest if len(longest) >= 2 else []


def _place(model: nn.Module, blocks: list[str], heads: list[str]) -> Anatomy:
    """Give each parameter outside of blocks and heads its place, by order of registration."""
    stem: list[str] = []
    tail: list[str] = []
    between: dict[int, list[str]] = {}
    passed = 0
    for name, _ in model.named_parameters():
        block = _owner(name, blocks)
        if block is not None:
            passed = max(passed, blocks.index(block) + 1)
        elif _owner(name, heads) is not None:
            continue
        elif passed == 0:
            stem.append(name)
        elif passed == len(blocks):
            tail.append(name)
        else:
            before, after = (_common_parts(name, b) for b in blocks[passed - 1 : passed + 1])
            between.setdefault(passed if before >= after else passed + 1, []).append(name)
    joints = {name: depth for depth, names in between.items() for name in _modules(model, names)}
    return Anatomy(
        stem=tuple(_modules(model, stem)),
        blocks=tuple(blocks),
        tail=tuple(_modules(model, tail)),
        head=tuple(heads),
        joints=joints,
    )


def _under(root: str, parts: Anatomy) -> Anatomy:
    """The same parts of a model that lies at ``root`` inside wrappers."""
    stem, blocks, tail, head = (
        tuple(_join(root, name) for name in names)
        for names in (parts.stem, parts.blocks, parts.tail, parts.head)
    )
    joints = {_join(root, name): depth for name, depth in parts.joints.items()}
    return Anatomy(stem, blocks, tail, head, joints)


def _modules(model: nn.Module, parameters: list[str]) -> list[str]:
    """The shortest list of module and parameter names that covers exactly ``parameters``."""
    remaining = list(parameters)
    covered: list[str] = []
    for name, module in model.named_modules():
        inside = [
            _join(name, inner) for inner, _ in module.named_parameters(remove_duplicate=False)
        ]
        if inside and set(inside) <= set(remaining):
            covered.append(name)
            remaining = [parameter for parameter in remaining if parameter not in inside]
    return remaining + covered


def _owner(name: str, prefixes: Iterable[str]) -> str | None:
    """The first prefix that ``name`` is or lies under."""
    return next((p for p in prefixes if name == p or name.startswith(f"{p}.")), None)


def _common_parts(first: str, second: str) -> int:
    """How many leading parts two dotted names share."""
    pairs = zip(first.split("."), second.split("."), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _join(prefix: str, name: str) -> str:
    return ".".join(part for part in (prefix, name) if part)
