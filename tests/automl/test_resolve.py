from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hf_vft.automl.environment import Facts
from hf_vft.automl.optimizer_defaults import EMBEDDED
from hf_vft.automl.resolve import resolve, resolve_for_model
from hf_vft.models.backbones import Checkpoint, choose_checkpoint, embedded
from hf_vft.recipe.schema import Recipe, load_recipe
from tests.models import tiny

FACTS = Facts(
    images=358,
    class_counts=(300, 40, 18),
    aspect_ratio=1.4,
    short_side=240,
    device="cpu",
    processes=1,
    cores=8,
    bf16=True,
)


def test_every_choice_has_a_reason_and_says_what_stood_there() -> None:
    recipe, choices = resolve(Recipe(), FACTS)
    named = {choice.name: choice for choice in choices}
    assert all(choice.reason and choice.was == "auto" for choice in choices)
    assert recipe.augment.strength == named["augment.strength"].value == "light"
    assert "358 training images" in named["augment.strength"].reason


def test_what_is_set_stays() -> None:
    asked = Recipe().replaced({"training.batch_size": 7, "augment.crop_scale": 0.5})
    recipe, choices = resolve(asked, FACTS)
    assert recipe.training.batch_size == 7
    assert recipe.augment.crop_scale == 0.5
    assert not {"training.batch_size", "augment.crop_scale"} & {c.name for c in choices}


@pytest.mark.parametrize(("budget", "stress"), [(None, True), (120, False), (900, True)])
def test_a_short_search_has_no_time_for_stress_tests(budget: float | None, stress: bool) -> None:
    asked = Recipe().replaced({"search.time_budget": budget})
    recipe, choices = resolve(asked, FACTS)
    assert recipe.evaluation.stress is stress
    assert "evaluation.stress" in {choice.name for choice in choices}


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_batches_divide_over_the_processes(processes: int) -> None:
    recipe, _ = resolve(Recipe(), replace(FACTS, processes=processes))
    assert int(recipe.training.batch_size) % processes == 0
    assert int(recipe.training.eval_batch_size) % processes == 0


@pytest.mark.parametrize(
    ("device", "processes", "workers"), [("cpu", 1, 0), ("cuda", 1, 8), ("cuda", 4, 2)]
)
def test_workers_where_they_pay(device: str, processes: int, workers: int) -> None:
    recipe, _ = resolve(Recipe(), replace(FACTS, device=device, processes=processes))
    assert recipe.training.num_workers == workers


@pytest.mark.parametrize(
    ("family", "device", "bf16", "precision", "channels_last"),
    [
        ("vit", "cpu", True, "bf16", False),
        ("vit", "cpu", False, "fp32", False),
        ("mobilenet_v2", "cpu", True, "fp32", True),  # depthwise
        ("resnet", "cpu", True, "bf16", True),
        ("mobilenet_v2", "cuda", True, "bf16", True),
    ],
)
def test_computing_follows_model_and_device(
    family: str, device: str, bf16: bool, precision: str, channels_last: bool
) -> None:
    facts = replace(FACTS, device=device, bf16=bf16)
    recipe, _ = resolve_for_model(Recipe(), facts, tiny.ALL[family](), checkpoint())
    assert recipe.training.precision == precision
    assert recipe.training.channels_last is channels_last


@pytest.mark.parametrize(
    ("device", "images", "kept", "reason"),
    [
        ("cpu", 100, False, "on a CPU learning takes"),
        ("cuda", 10_000, True, "GiB of decoded images are read faster"),
        ("cuda", 10_000_000, False, "are more than the"),
    ],
)
def test_decoded_images_are_kept_where_they_may_be_waited_for(
    device: str, images: int, kept: bool, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hf_vft.automl.resolve.free_bytes", lambda folder: 100 * 2**30)
    facts = replace(FACTS, device=device, images=images)
    recipe, choices = resolve_for_model(Recipe(), facts, tiny.ALL["vit"](), checkpoint())
    assert recipe.training.cache_images is kept
    assert reason in {choice.name: choice.reason for choice in choices}["training.cache_images"]


def checkpoint(name: str = "me/vit", *, pretrained: bool = True) -> Checkpoint:
    return Checkpoint(name, name, pretrained, "")


@pytest.mark.parametrize(
    ("start", "changes", "expected"),
    [
        (checkpoint(), {}, ("sgd", 5e-3, 1e-4)),
        (choose_checkpoint(["convnextv2-formula"]), {}, ("adamw", 1e-3, 0.05)),
        (checkpoint(str(embedded()["convnextv2-formula"])), {}, ("adamw", 1e-3, 0.05)),
        (choose_checkpoint(["vit-registers-formula"]), {}, ("adamw", 3e-4, 0.05)),
        (checkpoint(pretrained=False), {}, ("adamw", 1e-3, 0.05)),
        (checkpoint(), {"optimizer": "adamw"}, ("adamw", 1e-4, 0.05)),
        (checkpoint(), {"learning_rate": 0.01, "weight_decay": 0.0}, ("sgd", 0.01, 0.0)),
    ],
)
def test_the_rate_follows_what_the_backbone_has_learned(
    start: Checkpoint, changes: dict[str, Any], expected: tuple[str, float, float]
) -> None:
    asked = load_recipe("staged").replaced({f"stages.all.{k}": v for k, v in changes.items()})
    recipe, choices = resolve_for_model(asked, FACTS, tiny.ALL["vit"](), start)
    stage = recipe.stages[-1]
    assert (stage.optimizer, stage.learning_rate, stage.weight_decay) == expected
    made = {c.name.rpartition(".")[2] for c in choices if c.name.startswith("stages.all.")}
    settled = {"optimizer", "learning_rate", "weight_decay", "layer_decay", "warmup"}
    assert made == settled - changes.keys()


def test_every_embedded_backbone_has_its_rates() -> None:
    assert EMBEDDED.keys() == embedded().keys()
