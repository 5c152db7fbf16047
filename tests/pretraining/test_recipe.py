import pytest

from hf_vft.errors import RecipeError
from hf_vft.pretraining.recipe import PretrainRecipe, load_pretrain_recipe, pretrain_recipes


@pytest.mark.parametrize("name", list(pretrain_recipes()))
def test_bundled_recipes_are_valid_and_survive_a_round_trip(name, tmp_path):
    recipe = load_pretrain_recipe(name)
    file = tmp_path / "mine.yaml"
    file.write_text(recipe.to_yaml())
    assert load_pretrain_recipe(file) == recipe


def test_there_is_a_recipe_for_each_kind_of_backbone():
    types = {load_pretrain_recipe(n).backbone.config["model_type"] for n in pretrain_recipes()}
    assert types == {"convnextv2", "dinov2_with_registers"}


def test_fields_are_changed_by_name():
    recipe = load_pretrain_recipe("convnextv2", ["training.images=64", "images.shapes=8"])
    assert recipe.training.images == 64
    assert recipe.images.shapes == 8


def sized(*phases: dict) -> PretrainRecipe:
    return PretrainRecipe.model_validate(
        {
            "backbone": {"name": "x", "config": {"model_type": "vit"}},
            "training": {"images": 10, "sizes": list(phases)},
        }
    )


def test_sizes_follow_each_other():
    training = sized({"start": 0.0, "size": 32}, {"start": 0.5, "size": 64}).training
    assert [training.phase_at(share).size for share in (0.0, 0.49, 0.5, 1.0)] == [32, 32, 64, 64]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("training.image=3", "did you mean training.images"),
        ("training.sizes=[{start: 0.5, size: 32}]", "the first phase starts at 0"),
        ("backbone.config={depths: [1]}", "model_type is missing"),
        ("training.batch_size=0", "training.batch_size"),
        ("training.texture_weight=.inf", "has to be a finite number"),
        ("backbone.config.drop_path_rate=.nan", "drop_path_rate has to be a finite number"),
    ],
)
def test_a_wrong_recipe_says_where_in_one_line(change, says):
    with pytest.raises(RecipeError, match=says) as error:
        load_pretrain_recipe("convnextv2", [change])
    assert "\n" not in str(error.value)


def test_an_unknown_recipe_names_those_there_are():
    with pytest.raises(RecipeError, match="convnextv2"):
        load_pretrain_recipe("nope")
