"""How a source is to be read: what the recipe and the caller ask for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hf_vft.recipe.schema import DataConfig


@dataclass(frozen=True)
class ReadOptions:
    """Options for reading a source.

    Attributes:
        config: Which columns, levels and formats.
        cache_dir: Where archives are unpacked and datasets are kept.
        kind: What the labels have to be, a key of :data:`hf_vft.data.label_types.KINDS`; None takes
            what is there.
        contained: Whether no file outside of the source may be named.
        labelled: Whether labels have to be there.
    """

    config: DataConfig
    cache_dir: Path | None = None
    kind: str | None = None
    contained: bool = False
    labelled: bool = True

    def takes(self, kinds: frozenset[str]) -> bool:
        """Whether labels of one of these kinds are wanted."""
        return self.kind is None or self.kind in kinds
