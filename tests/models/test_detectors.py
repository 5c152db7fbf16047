"""Detectors on the backbones of classifiers: the weights arrive, the rest is new and seeded."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers as tf
from torch import nn
from transformers import AutoBackbone, AutoModelForObjectDetection

from hf_vft.errors import ModelError
from hf_vft.models.backbones import choose_checkpoint
from hf_vft.models.detectors import load_detector
from hf_vft.models.freezing import set_trainable
from hf_vft.models.load import load_model
from hf_vft.models.mobilenet_backbone import backbone_config, backbone_weights
from hf_vft.models.structure import anatomy
from tests.models.tiny import images
from tests.models.tiny_detectors import DETECTION_SIZE, DETECTORS
from tests.runs import save_checkpoint

LABELS = ["a", "b"]


def classifier(kind: str, folder: Path) -> Path:
    """A small classifier of four stages on disk."""
    sizes = {"hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1], "num_labels": 5}
    if kind == "resnet":
        config = tf.ResNetConfig(embedding_size=8, layer_type="basic", **sizes)
        model = tf.ResNetForImageClassification(config)
    else:
        model = tf.ConvNextV2ForImageClassification(tf.ConvNextV2Config(**sizes))
    for module in model.modules():  # it has seen images
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
    model.save_pretrained(folder)
    tf.ViTImageProcessor(
        size={"height": 64, "width": 64}, image_mean=[0.4] * 3, image_std=[0.2] * 3
    ).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("kind", ["resnet", "convnextv2"])
def test_the_backbone_gives_the_maps_of_the_classifier(kind: str, tmp_path: Path) -> None:
    folder = classifier(kind, tmp_path / kind)
    loaded = load_detector(choose_checkpoint([str(folder)]), labels=LABELS, seed=0)
    model = loaded.model
    alone = tf.AutoModel.from_pretrained(folder).eval()
    pixels = images(2, 64)
    with torch.inference_mode():
        expected = alone(pixels, output_hidden_states=True).hidden_states[-3:]
        found = model.model.backbone.model(pixels).feature_maps
    assert [tuple(one.shape) for one in found] == [tuple(one.shape) for one in expected]
    for ours, theirs in zip(found, expected, strict=True):
        if kind == "resnet":  # a ConvNeXt has a norm, which is new, before each map
            torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    backbone, known = model.model.backbone.model.state_dict(), alone.state_dict()
    shared = [name for name in known if name.startswith(("embed", "encoder."))]
    assert len(shared) > 10
    for name in shared:
        if not name.endswith("num_batches_tracked"):  # frozen norms count no batches
            assert torch.equal(backbone[name], known[name]), name
    assert model.config.id2label == {0: "a", 1: "b"}
    assert list(loaded.processor.image_mean) == [0.4] * 3
    again = load_detector(choose_checkpoint([str(folder)]), labels=LABELS, seed=0).model
    other = load_detector(choose_checkpoint([str(folder)]), labels=LABELS, seed=1).model
    weight = "model.enc_output.0.weight"
    assert torch.equal(model.state_dict()[weight], again.state_dict()[weight])
    assert not torch.equal(model.state_dict()[weight], other.state_dict()[weight])


def test_what_is_saved_loads_in_plain_transformers(tmp_path: Path) -> None:
    folder = classifier("convnextv2", tmp_path / "classifier")
    model = load_detector(choose_checkpoint([str(folder)]), labels=LABELS, seed=0).model
    model.save_pretrained(tmp_path / "saved")
    plain = AutoModelForObjectDetection.from_pretrained(tmp_path / "saved").eval()
    with torch.inference_mode():
        expected, found = model(images(1, 64)), plain(images(1, 64))
    torch.testing.assert_close(found.logits, expected.logits)
    torch.testing.assert_close(found.pred_boxes, expected.pred_boxes)


@pytest.mark.parametrize("name", ["resnet", "detr", "d-fine", "yolos"])
def test_new_weights_can_learn(name: str) -> None:
    """Of a scale that lets signals through; what looks for objects is not all alike."""
    checkpoint = choose_checkpoint([f"scratch:{name}-mini"])
    model = load_detector(checkpoint, labels=LABELS, seed=0).model
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert torch.equal(module.weight, torch.ones_like(module.weight))
        if isinstance(module, nn.Linear) and module.in_features == 128 and module.weight.any():
            assert module.weight.std() > 0.03
    with torch.inference_mode():
        found = model(images(1, 96))
    # One object is found by one query: none may answer as another does.
    assert found.logits[0].unique(dim=0).shape[0] == found.logits.shape[1]
    if name in {"resnet", "d-fine"}:
        assert model.model.enc_score_head.bias.sigmoid().tolist() == pytest.approx([0.01, 0.01])
        assert not model.model.enc_bbox_head.layers[-1].weight.any()
        assert 0.05 < model.model.denoising_class_embed.weight.std() < 0.5
        assert any(p.any() for p in model.model.decoder.layers[0].encoder_attn.parameters())


def test_a_classifier_is_not_made_of_a_detector() -> None:
    with pytest.raises(ModelError, match="no ImageClassification head for a yolos"):
        load_model(
            choose_checkpoint(["scratch:yolos-mini"]),
            tf.AutoModelForImageClassification,
            labels=LABELS,
            seed=0,
        )


def test_mobilenet_v2_of_transformers_and_of_timm_are_one_network(tmp_path: Path) -> None:
    """But for the padding of TensorFlow, which is switched off here."""
    config = tf.MobileNetV2Config(depth_multiplier=0.35, tf_padding=False)
    model = tf.MobileNetV2Model(config).eval()
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith(("running_mean", "running_var")):
                tensor.copy_(torch.rand_like(tensor) * 0.5 + 0.5)
    model.save_pretrained(tmp_path)
    backbone = AutoBackbone.from_config(backbone_config(config)).eval()
    weights = backbone_weights(str(tmp_path), backbone)
    missing = backbone.load_state_dict(weights, strict=False).missing_keys
    assert all(name.endswith("num_batches_tracked") for name in missing)
    with torch.inference_mode():
        hidden = model(images(1, 64), output_hidden_states=True).hidden_states
        maps = backbone(images(1, 64)).feature_maps
    assert [64 // found.shape[-1] for found in maps] == [8, 16, 32]
    last = next(h for h in reversed(hidden) if h.shape == maps[-1].shape)
    torch.testing.assert_close(maps[-1], last, atol=1e-4, rtol=1e-4)


def test_a_width_that_timm_lacks_is_refused() -> None:
    with pytest.raises(ModelError, match=r"width 0\.6: as a backbone there are"):
        backbone_config(tf.MobileNetV2Config(depth_multiplier=0.6))


def test_a_detector_keeps_what_fits_of_its_head(tmp_path: Path) -> None:
    DETECTORS["yolos"](2).save_pretrained(tmp_path)
    square = {"height": DETECTION_SIZE, "width": DETECTION_SIZE}
    tf.YolosImageProcessor(size=square, do_pad=False).save_pretrained(tmp_path)
    saved = AutoModelForObjectDetection.from_pretrained(tmp_path).state_dict()
    same, other = (
        load_detector(choose_checkpoint([str(tmp_path)]), labels=labels, seed=0).model.state_dict()
        for labels in (LABELS, ["a", "b", "c", "d"])
    )
    head = "class_labels_classifier.layers.2.weight"
    assert torch.equal(same[head], saved[head])
    assert other[head].shape[0] == 5
    block = next(name for name in saved if "layer" in name and name.endswith("weight"))
    assert torch.equal(other[block], saved[block])


def test_a_detector_that_transformers_cannot_train_is_refused_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    side = {"height": DETECTION_SIZE, "width": DETECTION_SIZE}
    tf.RTDetrImageProcessor(size=side).save_pretrained(tmp_path)
    DETECTORS["rt_detr"](2).save_pretrained(tmp_path)
    tf.PPOCRV5MobileDetConfig().save_pretrained(tmp_path)
    checkpoint = choose_checkpoint([str(tmp_path)])
    with pytest.raises(ModelError, match="has no loss for a pp_ocrv5_mobile_det, so it cannot"):
        load_detector(checkpoint, labels=LABELS, seed=0)
    DETECTORS["rt_detr"](2).save_pretrained(tmp_path)
    forward = tf.RTDetrForObjectDetection.forward

    def answers_only(self, pixel_values, labels=None, **options):
        if labels is not None:
            raise ValueError("It does not support training")
        return forward(self, pixel_values, **options)

    monkeypatch.setattr(tf.RTDetrForObjectDetection, "forward", answers_only)
    with pytest.raises(ModelError, match=r"cannot be fine-tuned \(It does not support training\)"):
        load_detector(choose_checkpoint([str(tmp_path)]), labels=LABELS, seed=0)


def test_the_constants_of_a_head_cannot_learn_and_are_saved_as_before(tmp_path: Path) -> None:
    model = load_detector(choose_checkpoint(["scratch:d-fine-mini"]), labels=LABELS, seed=0).model
    set_trainable(model, "all")
    constants = {"model.decoder.up", "model.decoder.reg_scale"}
    assert not constants & {name for name, _ in model.named_parameters()}
    model.save_pretrained(tmp_path)
    plain = AutoModelForObjectDetection.from_pretrained(tmp_path).state_dict()
    assert constants <= set(plain)
    assert all(torch.equal(plain[name], model.state_dict()[name]) for name in constants)


@pytest.mark.parametrize("name", ["conditional_detr", "lw_detr", "deimv2"])
def test_a_detector_for_other_classes_loads_and_keeps_its_backbone(
    name: str, tmp_path: Path
) -> None:
    saved = DETECTORS[name](5)
    saved.save_pretrained(tmp_path)
    side = {"height": DETECTION_SIZE, "width": DETECTION_SIZE}
    tf.RTDetrImageProcessor(size=side).save_pretrained(tmp_path)
    model = load_detector(choose_checkpoint([str(tmp_path)]), labels=LABELS, seed=0).model
    assert model.config.num_labels == 2
    theirs = saved.state_dict()
    blocks = anatomy(model).blocks
    kept = {n: t for n, t in model.state_dict().items() if n.startswith(blocks)}
    assert kept
    assert all(torch.equal(tensor, theirs[n]) for n, tensor in kept.items())


@pytest.mark.parametrize("kind", ["vit", "deit"])
def test_what_is_no_backbone_is_refused_in_a_line(kind: str, tmp_path: Path) -> None:
    folder = save_checkpoint(kind, tmp_path / kind)
    with pytest.raises(
        ModelError, match="cannot be the backbone of a detector; choose a"
    ) as caught:
        load_detector(choose_checkpoint([str(folder)]), labels=LABELS, seed=0)
    assert "\n" not in str(caught.value)


def test_a_backbone_of_one_scale_is_refused(tmp_path: Path) -> None:
    folder = save_checkpoint("dinov2", tmp_path / "dinov2")
    with pytest.raises(ModelError, match="feature maps at three scales"):
        load_detector(choose_checkpoint([str(folder)]), labels=LABELS, seed=0)
