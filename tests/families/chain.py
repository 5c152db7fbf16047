"""The links of the chain that every checkpoint goes through, from its files to its answers.

A link is a function of a `Subject`. It returns quietly, or with a short remark, where the model
does what it should; it raises an error of `hf_vft.errors` where the model is refused in words,
and whatever else where it is broken. `tried` makes an `Outcome` of that.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import nn

from hf_vft.errors import VftError
from hf_vft.explain.heatmap import heat_map
from hf_vft.inference.forward import load_answering
from hf_vft.inference.onnx import compare, open_session, translate
from hf_vft.models.backbones import Checkpoint
from hf_vft.models.freezing import eval_batch_norm, eval_frozen_modules, set_trainable
from hf_vft.models.load import LoadedModel
from hf_vft.models.lora import add_lora, how_to_load, lora_targets, merged
from hf_vft.models.param_groups import parameter_groups
from hf_vft.models.structure import anatomy, last_linear
from hf_vft.recipe.schema import LoraRecipe
from hf_vft.tasks import get_task

LABELS = ["crack", "dent", "fine"]
CLOSE = 1e-3
"""Largest difference of answers that ought to be the same, in shares of the largest answer."""

SQUARES, CERTAIN = 32, 3.0
"""Images of which a heat map is asked for, and the t statistic from which on it is taken to lie on
the square: a map that knows nothing of it reaches that in one of 700 trials for one class."""

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
    """

    name: str
    folder: Path
    task: str
    side: int

    def load(self, **options: Any) -> LoadedModel:
        """The model with a new head for `LABELS`."""
        checkpoint = Checkpoint(self.name, str(self.folder), True, "of the chain")
        fit = "squash" if self.boxes else "processor"
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


# The links


def loads(subject: Subject) -> str:
    """A new head answers with as many classes as there are labels."""
    loaded = subject.load()
    if not subject.boxes:
        with torch.no_grad():
            logits = loaded.model(pixel_values=subject.pixels).logits
        assert logits.shape == (2, len(LABELS)), f"logits of shape {tuple(logits.shape)}"
    assert subject.answers(loaded.model).isfinite().all(), "answers that are not finite"
    assert loaded.model.config.id2label == dict(enumerate(LABELS))
    return f"{sum(p.numel() for p in loaded.model.parameters())} parameters"


def own_size(subject: Subject) -> str:
    """With nothing said, the input has the size that the checkpoint's processor gives it."""
    loaded = subject.load(image_size="auto")
    image = Image.fromarray(np.full((40, 56, 3), 127, np.uint8))
    pixels = get_task(subject.task).plain(loaded.processor)(image)[None]
    with torch.no_grad():
        loaded.model(pixel_values=pixels)
    return "×".join(map(str, pixels.shape[-2:]))


def other_size(subject: Subject) -> None:
    """The input may be another one, or the line says why not."""
    side = subject.side * 2
    model = subject.load(image_size=side).model
    with torch.no_grad():
        model(pixel_values=torch.zeros(1, 3, side, side))


def framing(subject: Subject) -> str:
    """The whole image can be shown, squeezed or with a margin."""
    done = []
    for fit in ("squash",) if subject.boxes else ("squash", "pad"):
        processor = subject.load(image_fit=fit).processor
        for width, height in ((60, 40), (40, 60)):
            image = Image.fromarray(np.full((height, width, 3), 200, np.uint8))
            pixels = get_task(subject.task).plain(processor)(image)
            assert pixels.shape == (3, subject.side, subject.side), f"{fit}: {pixels.shape}"
        done.append(fit)
    return ", ".join(done)


def freezing(subject: Subject) -> None:
    """What is frozen stays as it is to the bit in a step; what is not moves."""
    model = subject.load().model
    for train in ("head", "blocks:1"):
        learning = set(set_trainable(model, train))
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        _step(subject, model)
        moved = {n for n, t in model.state_dict().items() if not torch.equal(t, before[n])}
        kept = {name for name, _ in model.named_parameters() if name not in learning}
        assert not moved & kept, f"{train}: {sorted(moved & kept)[0]} is frozen and moved"
        assert moved & learning, f"{train}: nothing moved"


def whole_training(subject: Subject) -> str:
    """Without blocks to name, head and whole network can still be trained."""
    model = subject.load().model
    for train in ("head", "all"):
        set_trainable(model, train)
        _step(subject, model)
    return ""


def layer_decay(subject: Subject) -> str:
    """Rates never fall along the order in which a pass calls the layers."""
    model = subject.load().model
    set_trainable(model, "all")
    groups = parameter_groups(model, learning_rate=1.0, layer_decay=0.5)
    rate = {
        id(parameter): group["lr"]
        for group in groups
        if not group["name"].startswith("head")
        for parameter in group["params"]
    }
    last, seen = 0.0, ""
    for name, module in _called(subject, model):
        for parameter in module.parameters(recurse=False):
            now = rate.get(id(parameter), last)
            assert now >= last, f"{name} learns at {now:g} after {seen} at {last:g}"
            last, seen = now, name
    parts = anatomy(model)
    counts: dict[bool, int] = {True: 0, False: 0}
    for name, parameter in model.named_parameters():
        if parts.depth(name) < parts.head_depth:
            counts[name.startswith(tuple(f"{block}." for block in parts.blocks))] += (
                parameter.numel()
            )
    share = counts[True] / max(1, sum(counts.values()))
    return f"{len(parts.blocks)} blocks, {share:.0%} of the backbone's weights"


def lora(subject: Subject) -> str:
    """Adapters are called and learn; with them merged, or read by plain peft, answers are equal."""
    from peft import PeftModel

    model: Any = subject.load().model
    targets = lora_targets(model, 2)
    called = {name for name, _ in _called(subject, model)}
    idle = [name for name in targets if name not in called]
    assert not idle, f"{idle[0]} gets an adapter and is never called"
    adapted: Any = add_lora(model, LoraRecipe(r=2, alpha=4.0))
    _step(subject, adapted)
    moved = {n: bool(p.any()) for n, p in adapted.named_parameters() if ".lora_B." in n}
    # Where one place is left, attention has nothing to choose, and its queries learn nothing.
    assert sum(moved.values()) >= len(moved) / 2, f"{min(moved, key=moved.get)} learns nothing"
    with torch.no_grad():
        generator = torch.Generator().manual_seed(1)
        for name, parameter in adapted.named_parameters():
            if ".lora_B." in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.03)
    dtype = _finest(subject, adapted.eval())
    trained = subject.answers(adapted)
    assert trained.isfinite().all(), "answers that are not finite"
    _same(trained, subject.answers(merged(adapted).eval()), "the merged model")
    with tempfile.TemporaryDirectory() as folder:
        adapted.save_pretrained(folder, save_embedding_layers=False)
        merged(adapted).save_pretrained(f"{folder}/model")
        auto = get_task(subject.task).auto_class
        whole = auto.from_pretrained(f"{folder}/model", dtype=dtype).eval()
        _same(trained, subject.answers(whole), "the merged model, saved and read")
        base = subject.load().model.to(dtype)
        if "tie_word_embeddings=False" in how_to_load(adapted):
            base.config.tie_word_embeddings = False
        beside = PeftModel.from_pretrained(base, folder).eval()
        _same(trained, subject.answers(beside), "the adapter in plain peft")
    return f"{len(targets)} layers"


def heat(subject: Subject) -> str:
    """Of images with one bright square, the map of a class lies on the square.

    The head is set to what the network gives for a square more than without one. Which class the
    map is of is left open: a network of random weights may hold the square for a reason, or all
    that is not square. Each map is compared with itself where the squares of other images are, so
    that one that always points to the same place shows nothing.
    """
    if subject.boxes:
        return "boxes are drawn"
    model = subject.load().model
    _head_for_brightness(subject, model)
    gains = max((_gains(subject, model, target) for target in (1, 0)), key=_certainty)
    told = f"{np.mean(gains):+.0%} of the map on the square, at t = {_certainty(gains):.1f}"
    if not _certainty(gains) >= CERTAIN:
        raise Unclear(told)
    return told


def _certainty(gains: np.ndarray) -> float:
    """The t statistic of a mean above zero; 0 where there is no spread to judge it by."""
    spread = float(gains.std(ddof=1))
    return float(gains.mean()) / (spread / np.sqrt(len(gains))) if spread > 0 else 0.0


def _gains(subject: Subject, model: nn.Module, target: int) -> np.ndarray:
    """Share of each map on its own square, less that on the others' squares: ``[SQUARES]``."""
    side = subject.side
    pixels, _, corners = _planted(side, 2 * SQUARES, seed=7)
    marked = list(zip(pixels, corners, strict=True))[1::2]
    maps = []
    for image, _ in marked:
        found = heat_map(model, image, target)
        assert found.shape == (side, side), f"a map of {found.shape}"
        maps.append(found / max(float(found.sum()), 1e-9))
    places = sorted({tuple(corner) for _, corner in marked})
    gains = []
    for found, (_, corner) in zip(maps, marked, strict=True):
        here = {place: _share_around(found, place, side) for place in places}
        own = here.pop(tuple(corner))
        gains.append(own - float(np.mean(list(here.values()))))
    return np.array(gains)


def _share_around(found: np.ndarray, corner: tuple[int, ...], side: int) -> float:
    """Of a map, on a square and a margin of half its side around it."""
    rows, columns = (slice(max(0, at - side // 8), at + side // 4 + side // 8) for at in corner)
    return float(found[rows, columns].sum())


def onnx(subject: Subject) -> None:
    """A graph answers as the model does, for any number of images."""
    loaded = subject.load()
    task = get_task(subject.task)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        loaded.model.save_pretrained(folder)
        loaded.processor.save_pretrained(folder)
        answering, _ = load_answering(folder, task, attn_implementation="eager")
        translate(answering, subject.pixels, folder / "model.onnx")
        session = open_session(folder / "model.onnx")
        for count in (1, 2, 5):
            pixels = torch.cat([subject.pixels] * 3)[:count]
            difference, allowed = compare(answering, session, pixels)
            assert difference <= allowed, (
                f"{count} images are answered differently, by {difference:.2g}"
            )


CHEAP: dict[str, Link] = {
    "loads": loads,
    "own_size": own_size,
    "other_size": other_size,
    "framing": framing,
    "training": whole_training,
    "freezing": freezing,
    "layer_decay": layer_decay,
    "lora": lora,
    "heat_map": heat,
}
LINKS: dict[str, Link] = CHEAP | {"onnx": onnx}


# What they share


def _step(subject: Subject, model: Any) -> None:
    """One step of training, as the trainer does it."""
    torch.manual_seed(0)
    model.train()
    eval_frozen_modules(model)
    eval_batch_norm(model)
    inputs = {"pixel_values": subject.pixels}
    loss, _ = get_task(subject.task).forward(model, inputs, subject.labels())
    loss.backward()
    learning = [p for p in model.parameters() if p.requires_grad]
    with torch.no_grad():
        for parameter in learning:
            if parameter.grad is not None:
                parameter -= 1e-3 * parameter.grad.sign()
                parameter.grad = None
    model.eval()


def _called(subject: Subject, model: nn.Module) -> list[tuple[str, nn.Module]]:
    """The modules that a pass calls, in the order of their first calls."""
    order: dict[str, nn.Module] = {}
    hooks = [
        module.register_forward_pre_hook(lambda m, _, n=name: order.setdefault(n, m) and None)
        for name, module in model.named_modules()
    ]
    with torch.no_grad(), _removed(hooks):
        model(pixel_values=subject.pixels)
    return list(order.items())


@contextmanager
def _removed(hooks: list[Any]) -> Iterator[None]:
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _finest(subject: Subject, model: Any) -> torch.dtype:
    """Put a model into double precision, where it can answer in that: rounding differs no more."""
    try:
        subject.answers(model.double())
    except RuntimeError:
        model.float()
    return next(iter(model.parameters())).dtype  # type: ignore[no-any-return]


def _same(expected: torch.Tensor, found: torch.Tensor, what: str) -> None:
    largest = max(1.0, float(expected.abs().max()))
    difference = float((expected - found).abs().max()) / largest
    assert difference <= CLOSE, f"{what} answers differently, by {difference:.2g}"


def _planted(side: int, count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, list[Any]]:
    """Noise, and in every second image a square: ``[count, 3, side, side]``, class, where."""
    rng = np.random.default_rng(seed)
    pixels = rng.normal(0.0, 0.3, (count, 3, side, side)).astype(np.float32)
    corners = rng.choice((0, side // 4, side // 2, 3 * side // 4), (count, 2)).tolist()
    for image, (row, column) in list(zip(pixels, corners, strict=True))[1::2]:
        image[:, row : row + side // 4, column : column + side // 4] += 2.0
    return torch.from_numpy(pixels), torch.arange(count) % 2, corners


def _head_for_brightness(subject: Subject, model: nn.Module) -> None:
    """Let the head answer with how much the features are those of an image with a square."""
    last, caught = last_linear(model), []
    hook = last.register_forward_pre_hook(lambda _, inputs: caught.append(inputs[0]))
    pixels, classes, _ = _planted(subject.side, 16, seed=3)
    with torch.no_grad(), _removed([hook]):
        model(pixel_values=pixels)
        features = torch.cat(caught)
        features = features.reshape(len(pixels), -1, features.shape[-1]).mean(1)
        difference = features[classes == 1].mean(0) - features[classes == 0].mean(0)
        direction = difference / difference.norm().clamp(min=1e-12)
        last.weight[0], last.weight[1] = -direction, direction
