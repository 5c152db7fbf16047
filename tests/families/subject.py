"""A checkpoint on disk that is led through the chain, and what comes of a link of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch

from hf_vft.errors import VftError
from hf_vft.models.backbones import Checkpoint
from hf_vft.models.load import LoadedModel
from hf_vft.tasks import get_task

LABELS = ["crack", "dent", "fine"]
Status = Literal["yes", "refused", "unclear", "broken"]


@dataclass(frozen=True)
class Outcome:
    """What came of a link.

    Attributes:
        status: ``refused`` is a line that names the way on; ``unclear`` is what random weights
            cannot show; ``broken`` is anything else.
        words: The line, or what was seen.
    """

    status: Status
    words: str = ""


@dataclass(frozen=True)
class Subject:
    """A checkpoint on disk that is led through the chain.

    Attributes:
        name: For people.
        folder: As it came from the Hub.
        task: Whose head it gets.
        side: Of the square input in pixels that the chain gives it.
        fit: How the chain frames an image, as ``image.fit`` has it.
    """

    name: str
    folder: Path
    task: str
    side: int
    fit: str = "processor"

    def load(self, **options: Any) -> LoadedModel:
        """The model with a new head for `LABELS`."""
        checkpoint = Checkpoint(self.name, str(self.folder), True, "of the chain")
        fit = "squash" if self.boxes else self.fit
        settings = {"labels": LABELS, "seed": 0, "image_size": self.side, "image_fit": fit}
        return get_task(self.task).load(checkpoint, **settings | options)

    @property
    def boxes(self) -> bool:
        return self.task == "object-detection"

    @cached_property
    def pixels(self) -> torch.Tensor:
        """``[2, 3, side, side]`` of noise."""
        generator = torch.Generator().manual_seed(0)
        return torch.randn(2, 3, self.side, self.side, generator=generator)

    def labels(self) -> torch.Tensor:
        """Of `pixels`, as the task takes them."""
        boxes = [[[0, 0.5, 0.5, 0.4, 0.4]], [[1, 0.3, 0.6, 0.2, 0.3]]]
        return torch.tensor(boxes) if self.boxes else torch.tensor([0, 1])

    def answers(self, model: Any) -> torch.Tensor:
        """What the task makes its answers of, ``[2, …]`` flattened into one row an image."""
        with torch.no_grad():
            pixels = self.pixels.to(next(model.parameters()).dtype)
            found = get_task(self.task).answers(model(pixel_values=pixels), model.config)
        return torch.cat([found[name].flatten(1) for name in sorted(found)], 1)


class Unclear(Exception):  # noqa: N818  # no error: an answer
    """A network of random weights could not be made to show it."""


Link = Callable[[Subject], str | None]


def tried(link: Link, subject: Subject) -> Outcome:
    """What comes of a link; nothing is raised."""
    try:
        return Outcome("yes", link(subject) or "")
    except Unclear as error:
        return Outcome("unclear", str(error))
    except VftError as error:
        words = str(error)
        return Outcome("broken" if "\n" in words else "refused", words)
    except Exception as error:  # noqa: BLE001  # the table says what it was
        return Outcome("broken", f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")


@contextmanager
def removed(hooks: list[Any]) -> Iterator[None]:
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
