"""The repeated blocks of a network, found by structure.

A *chain* is a sequence (``nn.ModuleList`` or ``nn.Sequential``) whose elements each do several
matrix operations: the layers of a ViT, the stages of a Swin, the residual layers of a ResNet. A
chain inside an element of a chain (the blocks of a stage) takes that element's place where it
holds most of the element's weights, so hierarchical models end up as one flat list of blocks.
Some networks name their stages and blocks as attributes instead: there those children of one module
that do several operations form a chain if most of them are of a class that recurs among them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from torch import nn

SEQUENCES = (nn.ModuleList, nn.Sequential)

MOST = 0.5
"""Share of a backbone's weights that its chains hold where they are worth the name of blocks."""

NEARLY_ALL = 0.7
"""Share of an element's weights that blocks inside it hold where they are taken in its place."""

LARGE = 0.1
"""Share of the backbone from which on an element of named children is taken apart."""


def find_blocks(core: nn.Module, heads: Iterable[str]) -> list[str]:
    """Names of the blocks, in order of registration; empty where nothing repeats.

    Args:
        core: A model without wrappers.
        heads: Names of the modules and parameters that are no part of the backbone.
    """
    backbone = _Backbone(core, tuple(heads))
    candidates = (
        _chain_elements(backbone, core),
        _named_repetitions(backbone, core),
        _longest_sequence(backbone),
    )
    sufficient = (blocks for blocks in candidates if backbone.share(blocks) >= MOST)
    return next(sufficient, next((blocks for blocks in candidates if blocks), []))


def is_chain(module: nn.Module) -> bool:
    """Whether most elements of a sequence do several matrix operations each.

    Most, not all: some networks end their stages with a single convolution. A convolution with
    its norm and activation is one operation, so the inside of a residual layer is no chain.
    """
    if not isinstance(module, SEQUENCES):
        return False
    counts = [n for n in map(operations, module) if n]
    return sum(n >= 2 for n in counts) > len(counts) / 2


def operations(module: nn.Module) -> int:
    """Number of matrix operations (linear layers, convolutions) that a module holds.

    A layer with an adapter counts once: the adapter stands beside the layer, not after it.
    """
    if hasattr(module, "get_base_layer"):
        return 1
    own = any(parameter.ndim >= 2 for parameter in module.parameters(recurse=False))
    inner = sum(operations(child) for child in module.children())
    return inner or int(own and not isinstance(module, nn.Embedding))


def chains(module: nn.Module, name: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The outermost chains in a module, itself included, in order of registration."""
    if is_chain(module):
        yield name, module
        return
    for child_name, child in module.named_children():
        yield from chains(child, join(name, child_name))


def owner(name: str, prefixes: Iterable[str]) -> str | None:
    """The first prefix that ``name`` is or lies under."""
    return next((p for p in prefixes if name == p or name.startswith(f"{p}.")), None)


def join(prefix: str, name: str) -> str:
    """A dotted name from its parts, either of which may be empty."""
    return ".".join(part for part in (prefix, name) if part)


@dataclass(frozen=True)
class _Backbone:
    """A model and the names in it that are no part of its backbone."""

    core: nn.Module
    heads: tuple[str, ...]

    def weights(self, name: str = "") -> int:
        """How many weights of the backbone a module holds."""
        module = self.core.get_submodule(name)
        return sum(
            parameter.numel()
            for inner, parameter in module.named_parameters(prefix=name)
            if owner(inner, self.heads) is None
        )

    def share(self, blocks: Iterable[str], of: str = "") -> float:
        """Share of a module's weights that some of its parts hold."""
        return sum(map(self.weights, blocks)) / max(self.weights(of), 1)

    def elements(self, module: nn.Module, name: str, least: int = 1) -> list[tuple[str, nn.Module]]:
        """The children with so many operations that hold weights of the backbone."""
        children = [(join(name, index), child) for index, child in module.named_children()]
        return [
            (element, child)
            for element, child in children
            if operations(child) >= least and self.weights(element)
        ]


def _chain_elements(backbone: _Backbone, module: nn.Module, name: str = "") -> list[str]:
    """Elements of all chains, or the blocks inside of them where these hold nearly all."""
    names: list[str] = []
    for chain_name, chain in chains(module, name):
        for element_name, element in backbone.elements(chain, chain_name):
            inner = _chain_elements(backbone, element, element_name)
            whole = backbone.share(inner, element_name) < NEARLY_ALL
            names += [element_name] if whole else inner
    return names


def _named_repetitions(backbone: _Backbone, module: nn.Module, name: str = "") -> list[str]:
    """Elements of chains whose elements are attributes; large ones are taken apart likewise."""
    elements = backbone.elements(module, name, least=2)
    kinds = Counter(type(element) for _, element in elements)
    recurring = sum(count for count in kinds.values() if count >= 2)
    if not is_chain(module) and recurring <= len(elements) / 2:
        return [
            block
            for child_name, child in elements
            for block in _named_repetitions(backbone, child, child_name)
        ]
    names: list[str] = []
    for element_name, element in elements:
        large = backbone.share([element_name]) > LARGE
        inner = _named_repetitions(backbone, element, element_name) if large else []
        whole = backbone.share(inner, element_name) < NEARLY_ALL
        names += [element_name] if whole else inner
    return names


def _longest_sequence(backbone: _Backbone) -> list[str]:
    """Elements of the longest sequence, for networks that are a row of single convolutions."""
    rows = [
        [element for element, _ in backbone.elements(module, name)]
        for name, module in backbone.core.named_modules()
        if isinstance(module, SEQUENCES)
    ]
    longest = max(rows, key=len, default=[])
    return longest if len(longest) >= 2 else []
