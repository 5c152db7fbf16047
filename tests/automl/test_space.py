from __future__ import annotations

from dataclasses import replace

import optuna
import pytest

from hf_vft.automl.fitting_batches import fitting_batches
from hf_vft.automl.space import Space, few_or_whole, scaled_size, trial_changes
from hf_vft.data.transforms.images import STRENGTHS
from hf_vft.recipe.schema import Recipe, load_recipe
from tests.models import tiny

SPACE = Space(
    models=("a", "b"),
    strategies=("recipe", "full", "gradual", "lora"),
    scales=(1.0, 0.75),
    batches=(8, 16),
    strength="light",
    batch=16,
)


@pytest.fixture
def recipe() -> Recipe:
    light = {f"augment.{name}": value for name, value in STRENGTHS["light"].items()}
    return load_recipe("staged").replaced(
        {
            **light,
            "augment.strength": "light",
            "training.batch_size": 16,
            "stages.all.optimizer": "sgd",
            "stages.all.learning_rate": 5e-3,
            "stages.all.weight_decay": 1e-4,
        }
    )


def test_the_first_trial_changes_nothing(recipe: Recipe) -> None:
    assert trial_changes(recipe, SPACE.first_trials()[0], images=400, size=224) == {}


@pytest.mark.parametrize(("asked", "planned"), [(0.3, 1), (2.6, 2.5), (9.9, 10), (12.4, 12)])
def test_a_plan_has_whole_epochs_or_quarters_of_few(asked: float, planned: float) -> None:
    assert few_or_whole(asked) == planned


def test_the_first_trial_is_only_shortened_where_time_is_short(recipe: Recipe) -> None:
    changes = trial_changes(recipe, SPACE.first_trials()[0], images=400, size=224, epochs=3)
    assert set(changes) == {"stages"}
    stage = recipe.replaced(changes).stages[0]
    assert stage.epochs == 3
    assert stage.learning_rate == recipe.stages[0].learning_rate


def test_what_is_enqueued_lies_in_the_space() -> None:
    study = optuna.create_study()
    for params in SPACE.first_trials():
        study.enqueue_trial(params)
    for params in SPACE.first_trials():
        assert SPACE.suggest(study.ask()) == params
    without = replace(SPACE, strategies=("recipe", "full"))
    assert {p["strategy"] for p in without.first_trials()} == {"recipe", "full"}


@pytest.mark.parametrize("strategy", ["full", "gradual", "lora"])
def test_every_point_is_a_recipe(recipe: Recipe, strategy: str) -> None:
    params = SPACE.first_trials()[0] | {
        "strategy": strategy,
        "strength": "strong",
        "mixing": "both",
        "scale": 0.75,
        "batch": 8,
        "ema": 0.99,
        "rate": 2.0,
    }
    made = recipe.replaced(trial_changes(recipe, params, images=400, size=224))
    assert made.image.size == 160
    assert made.augment.cutmix_alpha == 1.0
    assert made.augment.crop_scale == STRENGTHS["strong"]["crop_scale"]
    assert made.augment.horizontal_flip == recipe.augment.horizontal_flip
    assert made.training.ema_decay == 0.99
    assert made.training.batch_size == 8
    assert (made.model.lora is not None) == (strategy == "lora")
    assert len(made.stages) == (2 if strategy == "gradual" else 1)
    assert sum(stage.epochs for stage in made.stages) == 24  # twice those of the recipe


def test_sizes_keep_whole_patches() -> None:
    assert scaled_size(224, 0.75) == 160
    assert scaled_size(518, 0.75) % 14 == 0


def test_batches_that_do_not_fit_are_not_tried() -> None:
    model = tiny.tiny_resnet()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert fitting_batches(model, 32, (1, 4, 64), free=10**12) == (1, 4, 64)
    assert fitting_batches(model, 32, (1, 4, 64), free=1) == (1,)
    middle = fitting_batches(model, 32, (1, 4, 10**5), free=200 * 10**6)
    assert middle == (1, 4)
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_weights_that_know_little_are_trained_at_higher_rates_throughout(recipe: Recipe) -> None:
    bold = recipe.replaced({"stages.all.optimizer": "adamw", "stages.all.learning_rate": 1e-3})
    for strategy in ("full", "gradual"):
        first = {**SPACE.first_trials()[0], "strategy": strategy}
        plain, raised = (
            trial_changes(r, first, images=400, size=224)["stages"] for r in (recipe, bold)
        )
        for low, high in zip(plain, raised, strict=True):
            assert high["learning_rate"] == pytest.approx(10 * low["learning_rate"])
