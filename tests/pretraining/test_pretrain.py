import json

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoImageProcessor, AutoModel, AutoModelForImageClassification
from typer.testing import CliRunner

from hf_vft.cli.main import app
from hf_vft.errors import OutputError, RecipeError
from hf_vft.models.load import choose_checkpoint, load_model
from hf_vft.pretraining.formula_learner import FormulaLearner, coverage_loss
from hf_vft.pretraining.pretrain import make_trainer, new_backbone, pretrain
from hf_vft.pretraining.recipe import PretrainRecipe
from hf_vft.pretraining.render import NO_TEXTURE, ImageClasses, ImageRenderer
from hf_vft.pretraining.trainer import HELD_OUT
from tests.made_images import made_image

STEPS = 48
CONVNEXT = {
    "model_type": "convnextv2",
    "num_stages": 2,
    "hidden_sizes": [8, 16],
    "depths": [1, 1],
    "image_size": 32,
}
VIT = {
    "model_type": "dinov2_with_registers",
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "patch_size": 8,
    "image_size": 32,
    "num_register_tokens": 2,
}


class Answers(torch.nn.Module):
    """Gives the same logits whatever it sees."""

    def __init__(self, **logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, pixel_values: torch.Tensor) -> dict[str, torch.Tensor]:
        return self.logits


def recipe(config: dict = CONVNEXT, steps: int = STEPS) -> PretrainRecipe:
    return PretrainRecipe.model_validate(
        {
            "backbone": {"name": "tiny", "config": config, "image_size": 48},
            "images": {"shapes": 4, "textures": 2},
            "training": {
                "images": 16 * steps,
                "batch_size": 16,
                "learning_rate": 5e-3,
                "ema_decay": 0.5,
                "sizes": [{"start": 0.0, "size": 16}, {"start": 0.75, "size": 32}],
                "evaluate_every": 16,
            },
        }
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A training in one go."""
    out = tmp_path_factory.mktemp("pretrained")
    return pretrain(recipe(), out).parent


def log(out) -> list[dict]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def test_the_loss_is_that_of_shape_and_place_and_half_that_of_a_texture_that_is_there(tmp_path):
    trainer = make_trainer(recipe(), tmp_path)
    logits = torch.randn(3, 7, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([[0, 1], [4, NO_TEXTURE], [2, 0]])
    mask, coverage = torch.zeros(3, 8, 8), torch.zeros(3, 2, 2)
    mask[0, :4, :4], coverage[0, 0, 0] = 1.0, 1.0
    model = Answers(logits=logits, coverage=200 * coverage - 100).eval()
    inputs = {"pixel_values": torch.zeros(3, 3, 8, 8), "labels": labels, "mask": mask}
    loss = trainer.compute_loss(model, inputs)
    shape = torch.nn.functional.cross_entropy(logits[:, :5], labels[:, 0])
    texture = torch.nn.functional.cross_entropy(logits[[0, 2], 5:], labels[[0, 2], 1])
    torch.testing.assert_close(loss, shape + 0.5 * texture)
    wrong = trainer.compute_loss(model, {**inputs, "mask": 1 - mask})
    torch.testing.assert_close(wrong, loss + 100)


def test_the_weights_that_are_saved_were_trained(trained):
    start = new_backbone(recipe()).base_model.state_dict()
    saved = load_file(trained / "model" / "model.safetensors")
    assert saved.keys() == start.keys()
    assert {value.dtype for value in saved.values()} == {torch.float16}
    moved = [
        name for name in saved if not torch.allclose(saved[name].float(), start[name], atol=1e-3)
    ]
    assert len(moved) > 0.8 * len(saved)


def test_a_training_in_pieces_ends_with_the_same_weights(trained, tmp_path):
    pretrain(recipe(), tmp_path, seconds=0)
    assert max(row["step"] for row in log(tmp_path)) < STEPS
    pieces = pretrain(recipe(), tmp_path, resume=True)
    file = "model.safetensors"
    whole, other = load_file(trained / "model" / file), load_file(pieces / file)
    for name, value in whole.items():
        torch.testing.assert_close(value.float(), other[name].float(), atol=2e-3, rtol=1e-2)
    evaluated = [[row["step"] for row in log(o) if "eval_loss" in row] for o in (tmp_path, trained)]
    assert evaluated[0] == evaluated[1] == [16, 32, 48]


def test_held_out_images_have_the_last_size_from_the_start(tmp_path):
    collate = make_trainer(recipe(), tmp_path).data_collator
    assert collate([0, 1])["pixel_values"].shape[-1] == 16
    assert collate([HELD_OUT, HELD_OUT + 1])["pixel_values"].shape[-1] == 32


def test_a_training_ends_with_an_evaluation(tmp_path):
    pretrain(recipe(steps=20), tmp_path)
    assert [row["step"] for row in log(tmp_path) if "eval_loss" in row] == [16, 20]


def test_checkpoints_of_somebody_else_are_not_removed(tmp_path):
    (tmp_path / "checkpoint-500").mkdir()
    with pytest.raises(OutputError, match="checkpoint-500: already exists"):
        pretrain(recipe(), tmp_path)
    assert (tmp_path / "checkpoint-500").is_dir()


def test_an_earlier_training_is_not_overwritten(trained):
    with pytest.raises(RecipeError, match="--resume"):
        pretrain(recipe(), trained)


def test_plain_transformers_loads_it_in_full_precision(trained):
    folder = trained / "model"
    backbone, info = AutoModel.from_pretrained(folder, output_loading_info=True)
    assert not any(info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert {parameter.dtype for parameter in backbone.parameters()} == {torch.float32}
    images = AutoImageProcessor.from_pretrained(folder)(made_image(0), return_tensors="pt")
    assert images["pixel_values"].shape == (1, 3, 48, 48)
    model = AutoModelForImageClassification.from_pretrained(folder, num_labels=3)
    assert model(**images).logits.shape == (1, 3)


def test_hf_vft_fine_tunes_it_under_its_folder_name(trained):
    checkpoint = choose_checkpoint([str(trained / "model")], offline=True)
    loaded = load_model(
        checkpoint, AutoModelForImageClassification, labels=["a", "b"], seed=0, image_size=96
    )
    assert checkpoint.pretrained
    assert loaded.model(pixel_values=torch.zeros(1, 3, 96, 96)).logits.shape == (1, 2)


def test_a_vit_with_registers_takes_other_sizes(tmp_path):
    folder = pretrain(recipe(VIT, steps=2), tmp_path)
    model = AutoModel.from_pretrained(folder)
    assert model.config.image_size == 48
    for side, tokens in ((96, 144), (224, 784)):
        output = model(pixel_values=torch.zeros(1, 3, side, side)).last_hidden_state
        assert output.shape == (1, 1 + 2 + tokens, 16)


@pytest.mark.parametrize("config", [CONVNEXT, VIT])
def test_places_are_learned_in_squares_of_four_pixels_from_the_top_left(config):
    learner = FormulaLearner(new_backbone(recipe(config)), 32).eval()
    assert learner(torch.zeros(2, 3, 32, 32))["coverage"].shape == (2, 8, 8)
    made = ImageRenderer(ImageClasses(4, 2), seed=0).batch(0, 16, 32)
    optimizer = torch.optim.AdamW(learner.parameters(), 5e-3)
    for _ in range(60):
        loss = coverage_loss(learner(made.images)["coverage"], made.mask)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    share = torch.nn.functional.avg_pool2d(made.mask, 4)
    found = learner(made.images)["coverage"].sigmoid()
    assert torch.corrcoef(torch.stack([found.flatten(), share.flatten()]))[0, 1] > 0.7


def test_the_card_says_how_it_was_made(trained):
    card = (trained / "model" / "README.md").read_text()
    assert f"{16 * STEPS} images of 16, from 75 % of the training on 32 pixels" in card
    assert "one of 4 shapes" in card
    assert "% of the shapes" in card


def test_an_unknown_architecture_is_an_error_of_the_recipe():
    with pytest.raises(RecipeError, match=r"backbone\.config"):
        new_backbone(recipe({"model_type": "nope"}))


def test_the_command_trains_and_says_what_is_next(tmp_path):
    file = tmp_path / "tiny.yaml"
    file.write_text(recipe(steps=2).to_yaml())
    out = tmp_path / "out"
    result = CliRunner().invoke(app, ["pretrain", str(file), "--out", str(out), "--minutes", "5"])
    assert result.exit_code == 0, result.output
    assert "hf-vft fit" in result.stdout
    assert (out / "model" / "README.md").is_file()


def test_the_log_says_what_a_probe_makes_of_other_images(tmp_path, monkeypatch):
    monkeypatch.setattr("hf_vft.pretraining.transfer.DEMO", 60)
    values = recipe(steps=2).model_dump()
    values["training"] |= {"transfer": ["demo", "digits"], "evaluate_every": 1}
    out = pretrain(PretrainRecipe.model_validate(values), tmp_path).parent
    rows = [row for row in log(out) if "eval_loss" in row]
    assert len(rows) == 2
    assert all(row["eval_digits"] > 0.3 for row in rows)
    assert all(0.0 <= row["eval_demo"] < 0.9 for row in rows)
    assert "on other images (demo, digits)" in (out / "model" / "README.md").read_text()
