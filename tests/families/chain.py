"""The links of the chain that every checkpoint goes through, from its files to its answers.

A link is a function of a `Subject`. It returns quietly, or with a short remark, where the model
does what it should; it raises an error of `hf_vft.errors` where the model is refused in words,
and whatever else where it is broken. `subject.tried` makes an `Outcome` of that.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from hf_vft.inference.forward import load_answering
from hf_vft.inference.onnx import largest_difference, open_session, translate
from hf_vft.models.freezing import eval_batch_norm, eval_frozen_modules, set_trainable
from hf_vft.models.lora import add_lora, how_to_load, lora_targets, merged
from hf_vft.models.param_groups import parameter_groups
from hf_vft.models.structure import anatomy
from hf_vft.models.tied import state_to_save
from hf_vft.recipe.schema import LoraRecipe
from hf_vft.tasks import get_task
from tests.families.heat_maps import heat
from tests.families.subject import LABELS, Link, Subject, removed

CLOSE = 1e-3
"""Largest difference of answers that ought to be the same, in shares of the largest answer."""


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
        plain: Any = merged(adapted)
        plain.save_pretrained(f"{folder}/model", state_dict=state_to_save(plain))
        auto = get_task(subject.task).auto_class
        whole = auto.from_pretrained(f"{folder}/model", dtype=dtype).eval()
        _same(trained, subject.answers(whole), "the merged model, saved and read")
        base = subject.load().model.to(dtype)
        if "tie_word_embeddings=False" in how_to_load(adapted):
            base.config.tie_word_embeddings = False
        beside = PeftModel.from_pretrained(base, folder).eval()
        _same(trained, subject.answers(beside), "the adapter in plain peft")
    return f"{len(targets)} layers"


def onnx(subject: Subject) -> str:
    """A graph answers as the model does, for any number of images."""
    loaded = subject.load()
    task = get_task(subject.task)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        loaded.model.save_pretrained(folder, state_dict=state_to_save(loaded.model))
        loaded.processor.save_pretrained(folder)
        answering, _ = load_answering(folder, task, attn_implementation="eager")
        translate(answering, subject.pixels, folder / "model.onnx")
        session = open_session(folder / "model.onnx")
        pixels = torch.cat([subject.pixels] * 3)
        difference = largest_difference(subject.name, answering, session, pixels)
    return f"{difference:.2g}"


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
    """One step of training, as the trainer does it.

    Of 0.001, no more: in the encoders of D-FINE and DEIMv2, batch norms of random weights have
    variances below 1e-25, each multiplies by 316 what it gets, and a step of 0.01 on all weights
    at once is 1e22 behind them, whose square is no number in float32.
    """
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

    def note(name: str, module: nn.Module) -> None:
        order.setdefault(name, module)

    hooks = [
        module.register_forward_pre_hook(lambda m, _, n=name: note(n, m))
        for name, module in model.named_modules()
    ]
    with torch.no_grad(), removed(hooks):
        model(pixel_values=subject.pixels)
    return list(order.items())


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
