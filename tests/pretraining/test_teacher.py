import pytest
import torch
from timm.optim.muon import Muon
from transformers import AutoModel

from hf_vft.errors import RecipeError
from hf_vft.pretraining.formula_learner import FormulaLearner
from hf_vft.pretraining.pretrain import make_trainer, new_backbone, pretrain
from hf_vft.pretraining.recipe import PretrainRecipe
from hf_vft.pretraining.teacher import FeatureMap, Imitation, Teacher, imitation_loss
from tests.pretraining.test_pretrain import CONVNEXT, VIT, log, recipe


def save(config: dict, folder) -> str:
    """A backbone of random weights as a folder."""
    torch.manual_seed(0)
    new_backbone(recipe(config)).base_model.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def convolutional(tmp_path_factory) -> str:
    return save(CONVNEXT, tmp_path_factory.mktemp("teacher"))


def taught(teacher: str, steps: int = 24, **training: object) -> PretrainRecipe:
    values = recipe(VIT, steps).model_dump()
    values["training"] |= {"teacher": teacher, "optimizer": "muon", **training}
    return PretrainRecipe.model_validate(values)


def test_its_last_two_stages_are_shown_normed_and_frozen(convolutional):
    teacher = Teacher(convolutional, [16, 32]).train()
    assert teacher.maps == [FeatureMap(4, 8), FeatureMap(8, 16)]
    fine, coarse = teacher(torch.randn(2, 3, 32, 32))
    assert (fine.shape, coarse.shape) == ((2, 8, 8, 8), (2, 4, 4, 16))
    for shown in (fine, coarse):
        torch.testing.assert_close(shown.mean(-1), torch.zeros(shown.shape[:3]), atol=1e-4, rtol=0)
        assert not shown.requires_grad
    assert not teacher.training


def test_a_transformer_on_patches_cannot_teach(tmp_path):
    with pytest.raises(RecipeError, match=r"training\.teacher: .* not convolutional"):
        Teacher(save(VIT, tmp_path), [32])


def test_images_that_do_not_divide_into_its_squares_are_refused(convolutional):
    with pytest.raises(RecipeError, match=r"training\.sizes: .* squares of 8 pixels"):
        Teacher(convolutional, [20, 32])


def test_the_places_of_a_square_are_averaged():
    imitation = Imitation([FeatureMap(8, 2), FeatureMap(16, 2)], 2)
    for layer in imitation.layers:
        torch.nn.init.eye_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    places = torch.randn(1, 4, 4, 2)
    fine, coarse = imitation(places, 32)
    torch.testing.assert_close(fine, places)
    torch.testing.assert_close(coarse[0, 0, 1], places[0, :2, 2:].mean((0, 1)))


def test_the_loss_is_none_for_the_same_and_one_a_stage_for_nothing():
    shown = [torch.nn.functional.layer_norm(torch.randn(2, 4, 4, 16), (16,)) for _ in range(2)]
    assert imitation_loss(shown, shown) == 0
    nothing = imitation_loss([torch.zeros_like(stage) for stage in shown], shown)
    torch.testing.assert_close(nothing, torch.tensor(2.0), atol=1e-3, rtol=0)


def test_a_learner_comes_nearer_to_its_teacher(convolutional, tmp_path):
    trainer = make_trainer(taught(convolutional), tmp_path)
    images = trainer.data_collator(range(16))["pixel_values"]

    @torch.no_grad()
    def distance() -> float:
        given = trainer.model(images)["imitation"]
        return float(imitation_loss(given, trainer.teacher(images)))

    before = distance()
    trainer.train()
    assert isinstance(trainer.optimizer.optimizer, Muon)
    assert distance() < 0.7 * before
    assert not any("teacher" in name for name in trainer.model.state_dict())


def test_what_a_teacher_weighs_is_the_recipes(convolutional, tmp_path):
    losses = []
    for weight in (0.0, 1.0, 3.0):
        trainer = make_trainer(taught(convolutional, teacher_weight=weight), tmp_path)
        inputs = trainer.data_collator(range(4))
        losses.append(trainer.compute_loss(trainer.model.train(), inputs).detach())
    none, once, thrice = losses
    assert once > none
    torch.testing.assert_close(thrice - none, 3 * (once - none))


def test_taught_in_pieces_it_ends_with_the_same_weights(convolutional, tmp_path):
    half = taught(convolutional, steps=8, evaluate_every=4, bfloat16=True)
    whole = pretrain(half, tmp_path / "whole")
    pretrain(half, tmp_path / "pieces", seconds=0)
    pieces = pretrain(half, tmp_path / "pieces", resume=True)
    ours, theirs = (AutoModel.from_pretrained(path).state_dict() for path in (whole, pieces))
    for name, value in ours.items():
        torch.testing.assert_close(value, theirs[name], atol=2e-3, rtol=1e-2)
    assert max(row["step"] for row in log(tmp_path / "pieces")) == 8
    assert f"the features of `{convolutional}`" in (whole / "README.md").read_text()


def test_bfloat16_is_the_recipes_choice(convolutional, tmp_path):
    for wanted in (True, False):
        trainer = make_trainer(taught(convolutional, bfloat16=wanted), tmp_path)
        assert trainer.args.bf16 is wanted


def test_a_patch_starts_out_knowing_its_place():
    places = new_backbone(recipe(VIT)).base_model.embeddings.position_embeddings[0, 1:]
    near, far = (places[0] - places[1]).norm(), (places[0] - places[15]).norm()
    assert 0.1 < near < far


def test_a_recipe_may_choose_the_attention():
    learner = FormulaLearner(new_backbone(recipe({**VIT, "attn_implementation": "eager"})), 32)
    assert learner.classifier.config._attn_implementation == "eager"
