"""Detectors: a checkpoint that is one, or RT-DETR v2 built on the backbone of a classifier."""

from __future__ import annotations

import copy
import inspect
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoBackbone,
    AutoConfig,
    AutoModel,
    AutoModelForObjectDetection,
    PreTrainedConfig,
    PreTrainedModel,
    RTDetrImageProcessor,
    RTDetrV2Config,
    RTDetrV2ForObjectDetection,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_BACKBONE_MAPPING_NAMES

from hf_vft.errors import ModelError
from hf_vft.models.backbones import Checkpoint, fetched
from hf_vft.models.config_adjustments import (
    Auto,
    adjust_batch_norm,
    adjust_drop_path,
    adjust_dropout,
)
from hf_vft.models.foreign_weights import read_weights
from hf_vft.models.fresh_weights import PRIOR, draw_weights, thaw_batch_norm
from hf_vft.models.input_size import try_size
from hf_vft.models.load import (
    LoadedModel,
    config_and_processor,
    one_line,
    quiet,
    set_labels,
    weights_of,
)
from hf_vft.models.mobilenet_backbone import backbone_config, backbone_weights
from hf_vft.models.processors import Fit, input_side, reframe
from hf_vft.models.structure import anatomy
from hf_vft.models.tied import tie_parameters, tied_parameters
from hf_vft.recipe.schema import Choice

BACKBONE: Any = AutoBackbone

_OTHERS = "choose another detector, such as PekingU/rtdetr_v2_r18vd"

SCALES = (1, 2, 4)
"""Of the feature maps, the finest first."""

SMALL = 15_000_000
"""Backbones of fewer weights get the small decoder."""

SMALL_DECODER: dict[str, Any] = {
    "encoder_hidden_dim": 128,
    "encoder_ffn_dim": 256,
    "encoder_attention_heads": 4,
    "hidden_expansion": 0.5,
    "d_model": 128,
    "decoder_in_channels": [128, 128, 128],
    "decoder_ffn_dim": 256,
    "decoder_attention_heads": 4,
    "decoder_layers": 3,
    "num_queries": 100,
    # The loss compares all noised boxes of a batch with one another, which soon costs the most.
    "num_denoising": 32,
}


def load_detector(
    checkpoint: Checkpoint,
    *,
    labels: list[str],
    dropout: float | Auto = "auto",
    drop_path: float | Auto = "auto",
    batch_norm_momentum: float | Auto = "auto",
    image_size: int | Auto = "auto",
    image_fit: Fit = "squash",
    seed: int,
) -> LoadedModel:
    """Load a detector for ``labels``, or build one on a backbone.

    Of a checkpoint that is a detector those parts of the head are kept that fit. A checkpoint that
    is a classifier gives its backbone to an RT-DETR v2 (Lv et al. 2024) whose encoder and decoder
    are new; its size follows that of the backbone. The new weights are the same for the same seed.

    Args:
        checkpoint: From ``choose_checkpoint``.
        labels: Names of the classes, in the order of their ids.
        dropout: As for ``load_model``.
        drop_path: As for ``load_model``.
        batch_norm_momentum: Of the BatchNorm outside of the backbone, whose statistics stay as
            they are if it was pre-trained.
        image_size: Side of the input in pixels. Auto keeps the processor's.
        image_fit: Only ``squash``: transformers reads boxes as shares of the whole image.
        seed: Of the new weights.

    Raises:
        ModelError: If the checkpoint cannot be read, or its backbone gives no feature maps at
            three scales.
    """
    if image_fit != "squash":
        raise ModelError(f"image.fit={image_fit}: boxes need squash, which shows the whole image.")
    with one_line(checkpoint), quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        checkpoint = fetched(checkpoint)
        config, processor = config_and_processor(checkpoint)
        is_detector = type(config) in AutoModelForObjectDetection._model_mapping
        if not is_detector:
            side = input_side(processor) if image_size == "auto" else int(image_size)
            config = detector_config(checkpoint, config, side)
            processor = RTDetrImageProcessor(
                size={"height": input_side(processor), "width": input_side(processor)},
                do_normalize=True,
                image_mean=getattr(processor, "image_mean", [0.5] * 3),
                image_std=getattr(processor, "image_std", [0.5] * 3),
            )
        else:
            _check_trainable(checkpoint, config)
        known = list(config.id2label.values())
        set_labels(config, labels, None)
        adjustments = adjust_dropout(config, dropout) + adjust_drop_path(config, drop_path)
        if is_detector:
            model = _weights_of(checkpoint, config, known)
        else:
            model = RTDetrV2ForObjectDetection(config)
            if checkpoint.pretrained:
                _fill_backbone(model, checkpoint)
        if not (is_detector and checkpoint.pretrained):
            draw_weights(model, kept=getattr(model.base_model, "backbone", None))
        if not checkpoint.pretrained:
            thaw_batch_norm(model)
        _hold_constants(model)
        whole = is_detector and checkpoint.pretrained
        adjustments += adjust_batch_norm(model, config, batch_norm_momentum, pretrained=whole)
        side = input_side(processor) if image_size == "auto" else int(image_size)
        if image_size == "auto":
            reason = "the input size of the checkpoint's processor"
            adjustments.append(Choice("image.size", "auto", side, reason))
        processor = reframe(processor, model.config, side, image_fit)
        try_size(model, side)
        _try_loss(model, side)
    model.config._name_or_path = model.name_or_path = checkpoint.address
    model.train(False)
    return LoadedModel(model, processor, checkpoint, adjustments, built=not is_detector)


def detector_config(checkpoint: Checkpoint, config: PreTrainedConfig, side: int) -> RTDetrV2Config:
    """RT-DETR v2 on the backbone of a classifier's configuration.

    Args:
        checkpoint: Whose configuration it is.
        config: Of the classifier.
        side: Of the input in pixels; a query starts from a place in the feature maps.

    Raises:
        ModelError: If the backbone gives no feature maps at three scales.
    """
    backbone = _backbone_config(checkpoint, config)
    with torch.random.fork_rng(devices=[]):
        probe = BACKBONE.from_config(backbone)
    strides, channels, weights = _scales(probe), list(probe.channels), _count(probe)
    if strides != [strides[0] * scale for scale in SCALES]:
        raise ModelError(
            f"{checkpoint.name}: a detector needs feature maps at three scales, each half of the "
            f"last; this backbone gives strides of {strides}."
        )
    sizes = SMALL_DECODER if weights < SMALL else {"num_queries": 300}
    places = sum((side // stride) ** 2 for stride in strides)
    sizes = {**sizes, "num_queries": min(sizes["num_queries"], places)}
    return RTDetrV2Config(
        backbone_config=backbone,
        encoder_in_channels=channels,
        feat_strides=strides,
        freeze_backbone_batch_norms=checkpoint.pretrained,
        initializer_bias_prior_prob=PRIOR,
        **sizes,
    )


def _hold_constants(model: nn.Module) -> None:
    """Make buffers of what the head holds fixed, in place, so that no stage lets it learn.

    D-FINE and DEIMv2 keep two numbers of their box decoding as parameters without a gradient; the
    loss takes them for constants. Saved, they are called the same.
    """
    head = tuple(f"{name}." for name in anatomy(model).head)
    for name, parameter in list(model.named_parameters()):
        if not parameter.requires_grad and name.startswith(head):
            owner, _, last = name.rpartition(".")
            module = model.get_submodule(owner)
            delattr(module, last)
            module.register_buffer(last, parameter.data)


def _check_trainable(checkpoint: Checkpoint, config: PreTrainedConfig) -> None:
    """Refuse what finds objects but was never made to learn it in transformers."""
    auto: Any = AutoModelForObjectDetection
    kind = auto._model_mapping[type(config)]
    if "labels" not in inspect.signature(kind.forward).parameters:
        raise ModelError(
            f"{checkpoint.name}: transformers has no loss for a {config.model_type}, so it cannot "
            f"be fine-tuned; {_OTHERS}."
        )


@torch.no_grad()
def _try_loss(model: nn.Module, side: int) -> None:
    """Let an image with a box through, so that what cannot be trained is found now."""
    box = {"class_labels": torch.tensor([0]), "boxes": torch.tensor([[0.5, 0.5, 0.5, 0.5]])}
    kind = type(model).__name__
    try:
        output = model.eval()(pixel_values=torch.zeros(1, 3, side, side), labels=[box])
    # Whatever a family raises that was made for answering alone.
    except Exception as error:  # noqa: BLE001
        reason = " ".join(str(error).split())[:120]
        raise ModelError(f"{kind} cannot be fine-tuned ({reason}); {_OTHERS}.") from None
    if missing := [name for name in ("loss", "logits", "pred_boxes") if output.get(name) is None]:
        raise ModelError(f"{kind} gives no {' and no '.join(missing)}; {_OTHERS}.")


def _weights_of(checkpoint: Checkpoint, config: Any, known: list[str]) -> Any:
    """A detector with the checkpoint's weights, but for those that depend on the classes.

    transformers compares the weights that a class may tie, and stumbles over those whose shapes
    do not fit: so they are loaded in their own shapes first.

    Args:
        checkpoint: A detector.
        config: With the classes that are wanted.
        known: Names of the checkpoint's classes.
    """
    labels = list(config.id2label.values())
    auto: Any = AutoModelForObjectDetection
    kind = auto._model_mapping[type(config)]
    if len(known) == len(labels) or not getattr(kind, "_tied_weights_keys", None):
        return weights_of(checkpoint, auto, config)
    set_labels(config, known, None)
    before: Any = weights_of(checkpoint, auto, copy.deepcopy(config))
    set_labels(config, labels, None)
    config.tie_word_embeddings = False
    model = auto.from_config(config, dtype=torch.float32)
    model.config.tie_word_embeddings = before.config.tie_word_embeddings
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    state = {n: tensor for n, tensor in before.state_dict().items() if tensor.shape == shapes[n]}
    model.load_state_dict(state, strict=False)
    tie_parameters(model, tied_parameters(before))
    return model


def _backbone_config(checkpoint: Checkpoint, config: PreTrainedConfig) -> PreTrainedConfig:
    """The same architecture as a backbone that gives its last three feature maps."""
    if config.model_type == "mobilenet_v2":
        return backbone_config(config)
    if config.model_type not in MODEL_FOR_BACKBONE_MAPPING_NAMES:
        raise ModelError(
            f"{checkpoint.name}: a {config.model_type} cannot be the backbone of a detector; "
            "choose a convnext, convnextv2, resnet, swin or mobilenet_v2, or a detector such as "
            "PekingU/rtdetr_v2_r18vd."
        )
    stages = len(getattr(config, "depths", []))
    if stages < len(SCALES):
        raise ModelError(
            f"{checkpoint.name}: a detector needs feature maps at three scales, and a "
            f"{config.model_type} has one; choose a convnext, convnextv2, resnet or swin."
        )
    settings = config.to_dict()
    for name in ("out_indices", "out_features", "stage_names", "_name_or_path", "architectures"):
        settings.pop(name, None)
    kind: Any = type(config)
    built: PreTrainedConfig = kind(**settings, out_indices=[stages - 2, stages - 1, stages])
    return built


def _fill_backbone(model: PreTrainedModel, checkpoint: Checkpoint) -> None:
    """Give the detector the weights of the classifier's backbone."""
    target = model.model.backbone.model
    config = AutoConfig.from_pretrained(checkpoint.path, trust_remote_code=False)
    if config.model_type == "mobilenet_v2":
        state = backbone_weights(checkpoint.path, target)
    else:
        source = read_weights(AutoModel, checkpoint.path)
        state = source.state_dict()
    known = target.state_dict()
    lost = [n for n in known if n not in state and not n.endswith("num_batches_tracked")]
    lost = [name for name in lost if "hidden_states_norms" not in name]
    if lost:
        raise ModelError(f"{checkpoint.name}: {len(lost)} weights are missing, such as {lost[0]}.")
    target.load_state_dict({k: v for k, v in state.items() if k in known}, strict=False)


@torch.no_grad()
def _scales(backbone: PreTrainedModel) -> list[int]:
    """How many pixels a step in each feature map is, measured on a blank image."""
    side = 256
    maps = backbone.train(False)(torch.zeros(1, 3, side, side)).feature_maps
    return [side // feature_map.shape[-1] for feature_map in maps]


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
