"""What a checkpoint brings along, kept, set or replaced, with a reason."""

from __future__ import annotations

import pytest
import transformers as tf

from hf_vft.errors import ModelError
from hf_vft.models.config_adjustments import adjust_batch_norm, adjust_drop_path, adjust_dropout
from tests.models import tiny


def test_a_dropout_that_would_hamper_is_replaced_and_a_usual_one_is_kept() -> None:
    mobilenet = tf.MobileNetV2Config()
    assert mobilenet.classifier_dropout_prob == 0.8
    (choice,) = adjust_dropout(mobilenet, "auto")
    assert (choice.value, mobilenet.classifier_dropout_prob) == (0.0, 0.0)
    assert "hamper" in choice.reason
    vit = tf.ViTConfig(hidden_dropout_prob=0.1)
    (choice,) = adjust_dropout(vit, "auto")
    assert (choice.value, vit.hidden_dropout_prob) == (0.1, 0.1)


def test_what_the_recipe_sets_is_set_without_a_choice() -> None:
    swin = tf.SwinConfig()
    assert adjust_drop_path(swin, 0.3) == []
    assert swin.drop_path_rate == 0.3
    assert adjust_dropout(swin, 0.2) == []
    assert swin.hidden_dropout_prob == 0.2


def test_stochastic_depth_where_there_is_none_is_an_error() -> None:
    assert adjust_drop_path(tf.ResNetConfig(), "auto")[0].value == 0.0
    with pytest.raises(ModelError, match="stochastic depth"):
        adjust_drop_path(tf.ResNetConfig(), 0.1)


@pytest.mark.parametrize(
    ("value", "pretrained", "chosen", "of_layers"),
    [("auto", True, 0.0, 0.1), ("auto", False, 0.1, 0.1), (0.05, True, None, 0.05)],
)
def test_the_momentum_that_tensorflow_means_is_replaced(
    value: float | str, pretrained: bool, chosen: float | None, of_layers: float
) -> None:
    model = tiny.tiny_mobilenet_v2()
    layers = [m for m in model.modules() if hasattr(m, "running_mean")]
    assert {layer.momentum for layer in layers} == {0.997}
    found = adjust_batch_norm(model, model.config, value, pretrained=pretrained)  # type: ignore[arg-type]
    assert {layer.momentum for layer in layers} == {of_layers}
    assert [choice.value for choice in found] == ([] if chosen is None else [chosen])


def test_a_momentum_without_batch_norm_is_an_error() -> None:
    vit = tiny.tiny_vit()
    with pytest.raises(ModelError, match="BatchNorm"):
        adjust_batch_norm(vit, vit.config, 0.05, pretrained=True)
