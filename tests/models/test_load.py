"""A backbone with a new head: from a folder, at another size, from another hand's mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import transformers as tf
from transformers import AutoModelForImageClassification

from hf_vft.errors import ModelError
from hf_vft.models.backbones import choose_checkpoint
from hf_vft.models.load import LoadedModel, load_model
from tests.models import tiny
from tests.runs import save_checkpoint


def load(folder: Path, **changes: object) -> LoadedModel:
    checkpoint = choose_checkpoint([str(folder)])
    options = {"labels": ["a", "b"], "seed": 0} | changes
    return load_model(checkpoint, AutoModelForImageClassification, **options)


@pytest.mark.parametrize(("size", "refitted"), [("auto", False), (32, False), (64, True)])
def test_positions_are_interpolated_for_another_size(
    size: object, refitted: bool, vit: Path
) -> None:
    loaded = load(vit, image_size=size)
    assert loaded.refitted == refitted
    side = 32 if size == "auto" else int(str(size))
    assert loaded.model.config.image_size == side
    assert loaded.model(torch.zeros(1, 3, side, side)).logits.shape == (1, 2)


def test_a_network_of_convolutions_takes_any_size_as_it_is(convnext: Path) -> None:
    assert not load(convnext, image_size=64).refitted


def test_the_new_head_is_that_of_the_seed(convnext: Path) -> None:
    state = torch.get_rng_state()
    first, again, other = (load(convnext, seed=seed).model.classifier.weight for seed in (0, 0, 1))
    assert first.equal(again)
    assert not first.equal(other)
    assert torch.get_rng_state().equal(state)


def test_a_kept_head_knows_its_classes_by_name_and_gets_a_row_for_a_new_one(
    convnext: Path, tmp_path: Path
) -> None:
    before = load(convnext, labels=["a", "b", "c"], seed=1)
    before.model.save_pretrained(tmp_path)
    before.processor.save_pretrained(tmp_path)
    head = before.model.classifier.weight
    same = load(tmp_path, labels=["a", "b", "c"], keep_head=True).model
    image = torch.rand(1, 3, 32, 32)
    assert torch.allclose(same(image).logits, before.model(image).logits, atol=1e-6)
    grown = load(tmp_path, labels=["c", "new", "a"], keep_head=True).model.classifier.weight
    assert grown[[0, 2]].equal(head[[2, 0]])
    assert not any(grown[1].equal(row) for row in head)
    with pytest.raises(ModelError, match="its head knows none of the classes"):
        load(tmp_path, labels=["x", "y"], keep_head=True)


def test_mobilenet_dropout_and_momentum_are_taken_for_mistakes(tmp_path: Path) -> None:
    loaded = load(save_checkpoint("mobilenet_v2", tmp_path / "mobilenet"))
    values = {choice.name: choice.value for choice in loaded.adjustments}
    assert values["model.dropout"] == loaded.model.config.classifier_dropout_prob == 0.0
    assert values["model.batch_norm_momentum"] == 0.0
    momenta = {
        module.momentum
        for module in loaded.model.modules()
        if isinstance(module, torch.nn.BatchNorm2d)
    }
    assert momenta == {0.1}


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    folder = save_checkpoint("vit", tmp_path / "vit")
    tiny.tiny_convnext().save_pretrained(tmp_path / "other")
    (folder / "model.safetensors").write_bytes(
        (tmp_path / "other" / "model.safetensors").read_bytes()
    )
    with pytest.raises(ModelError, match="do not belong together"):
        load(folder)


def test_a_broken_checkpoint_is_one_line(tmp_path: Path) -> None:
    folder = save_checkpoint("vit", tmp_path / "vit")
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        load(folder)
    assert "\n" not in str(caught.value)


def test_every_head_gives_as_many_logits_as_there_are_classes(tmp_path: Path) -> None:
    config = tf.PvtConfig(
        image_size=32, hidden_sizes=[8] * 4, depths=[1] * 4, num_attention_heads=[1] * 4
    )
    save(tf.PvtForImageClassification(config), tmp_path)
    assert load(tmp_path).model(torch.zeros(1, 3, 32, 32)).logits.shape == (1, 2)


def test_a_model_that_answers_without_logits_is_refused(tmp_path: Path) -> None:
    config = tf.PPLCNetConfig(scale=0.25, class_expand=16, hidden_act="relu")
    save(tf.PPLCNetForImageClassification(config), tmp_path)
    with pytest.raises(ModelError, match="PPLCNetForImageClassification gives no logits; choose"):
        load(tmp_path)


def test_what_a_family_cannot_build_is_one_line(tmp_path: Path) -> None:
    folder = save_checkpoint("vit", tmp_path / "vit")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_act": "no such"}))
    with pytest.raises(ModelError, match=r"cannot be loaded \(.+\)\.$") as caught:
        load(folder)
    assert "\n" not in str(caught.value)


def test_a_family_that_transformers_does_not_have_is_named(tmp_path: Path) -> None:
    folder = save_checkpoint("vit", tmp_path / "vit")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "efficientformer"}))
    with pytest.raises(ModelError, match=r"transformers 5\.\S+ has no efficientformer models; cho"):
        load(folder)


def test_a_family_without_a_head_names_a_checkpoint_that_has_one(tmp_path: Path) -> None:
    config = tf.DINOv3ViTConfig(
        image_size=32, hidden_size=8, intermediate_size=8, num_hidden_layers=1,
        num_attention_heads=1, patch_size=8,
    )  # fmt: skip
    save(tf.DINOv3ViTModel(config), tmp_path)
    with pytest.raises(ModelError, match=r"such as timm/vit_small_patch16_dinov3\.lvd1689m,"):
        load(tmp_path)


def test_a_processor_that_fails_with_its_own_settings_is_named(tmp_path: Path) -> None:
    config = tf.TextNetConfig(hidden_sizes=[8] * 5, stem_out_channels=8)
    save(tf.TextNetForImageClassification(config), tmp_path)
    settings = {
        "image_processor_type": "TextNetImageProcessor",
        "size": {"height": 64, "width": 64},
    }
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    with pytest.raises(
        ModelError, match=r"TextNetImageProcessor of transformers 5\.\S+ fails with the settings in"
    ):
        load(tmp_path)


def save(model: tf.PreTrainedModel, folder: Path) -> None:
    model.save_pretrained(folder)
    tf.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
