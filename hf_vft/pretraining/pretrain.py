"""Pre-train a backbone by a recipe, in one go or in pieces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import set_seed
from timm.optim.muon import Muon
from transformers import (
    AutoConfig,
    AutoModelForImageClassification,
    PreTrainedModel,
    PrinterCallback,
    ProgressCallback,
    TrainerCallback,
)

from hf_vft.errors import RecipeError
from hf_vft.outputs import claim
from hf_vft.pretraining.formula_learner import FormulaLearner
from hf_vft.pretraining.initial import spread_weights
from hf_vft.pretraining.log import LOG_FILE, LogFile, TimeLimit
from hf_vft.pretraining.publish import save_backbone
from hf_vft.pretraining.recipe import PretrainingConfig, PretrainRecipe
from hf_vft.pretraining.render import ImageClasses, ImageRenderer
from hf_vft.pretraining.response_norm import quicken_norms
from hf_vft.pretraining.teacher import Teacher
from hf_vft.pretraining.trainer import HELD_OUT, ImageCollator, Numbers, PretrainTrainer
from hf_vft.run import write_text
from hf_vft.training.checkpoints import discard_incomplete, last_complete
from hf_vft.training.training_arguments import VisionTrainingArguments

EVALUATED = 512
"""Held-out images behind the scores in the log."""
RECIPE_FILE = "recipe.yaml"
MODEL_FOLDER = "model"


def pretrain(
    recipe: PretrainRecipe,
    out: Path,
    *,
    resume: bool = False,
    seconds: float | None = None,
    callbacks: Sequence[TrainerCallback] = (),
) -> Path:
    """Train, with checkpoints and a log in ``out``, and save the backbone.

    Args:
        recipe: What to train. To go on for longer than planned, resume with more images.
        out: Gets ``checkpoint-<step>/``, ``log.jsonl``, ``recipe.yaml`` and ``model/``.
        resume: Whether to go on from the last whole checkpoint, if there is one.
        seconds: Stop after so long, with a checkpoint; None trains to the end.
        callbacks: For the Trainer.

    Returns:
        ``out/model``: the averaged weights so far, for ``from_pretrained``.

    Raises:
        RecipeError: If ``out`` holds a training and ``resume`` is false, or the recipe names
            what transformers does not know.
    """
    checkpoint = last_complete(out)
    if checkpoint is not None and not resume:
        raise RecipeError(f"{out} holds a training: add --resume, or give another folder.")
    claim(out, (RECIPE_FILE, MODEL_FOLDER, LOG_FILE, "checkpoint-*"), command="pretrain")
    discard_incomplete(out)
    log = LogFile(out)
    limits = [TimeLimit(seconds)] if seconds is not None else []
    trainer = make_trainer(recipe, out, [log, *limits, *callbacks])
    if trainer.is_world_process_zero():
        write_text(out / RECIPE_FILE, recipe.to_yaml())
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if trainer.is_world_process_zero():
        batch = recipe.training.batch_size * trainer.args.world_size
        training = log.summary(trainer.state, recipe.training.images, batch)
        save_backbone(trainer.model.classifier, recipe, out / MODEL_FOLDER, training)
    return out / MODEL_FOLDER


def new_backbone(recipe: PretrainRecipe) -> PreTrainedModel:
    """The backbone of a recipe with random weights, and with a head for its classes.

    Raises:
        RecipeError: If transformers does not know the architecture, or one of its fields.
    """
    fields = dict(recipe.backbone.config)
    auto_class: Any = AutoModelForImageClassification
    outputs = ImageClasses(recipe.images.shapes, recipe.images.textures).outputs
    set_seed(recipe.seed)
    try:
        config = AutoConfig.for_model(fields.pop("model_type"), num_labels=outputs, **fields)
        model: PreTrainedModel = auto_class.from_config(config)
    except (ValueError, TypeError) as error:
        raise RecipeError(f"backbone.config: {' '.join(str(error).split())[:160]}.") from None
    backbone: Any = model.base_model
    spread_weights(backbone)
    return model


def make_trainer(
    recipe: PretrainRecipe, out: Path, callbacks: Sequence[TrainerCallback] = ()
) -> PretrainTrainer:
    """The trainer of a recipe, with the renderer on its device."""
    config = recipe.training
    classes = ImageClasses(recipe.images.shapes, recipe.images.textures)
    arguments = training_arguments(recipe, out)
    renderer = ImageRenderer(classes, seed=recipe.seed, device=arguments.device)
    sides = [phase.size for phase in config.sizes]
    teacher = Teacher(config.teacher, sides).to(arguments.device) if config.teacher else None
    backbone = new_backbone(recipe)
    quicken_norms(backbone)
    learner: Any = FormulaLearner(backbone, max(sides), teacher.maps if teacher else ())
    trainer = PretrainTrainer(
        model=learner.to(memory_format=torch.channels_last),
        args=arguments,
        config=config,
        shapes=classes.shapes + 1,
        teacher=teacher,
        data_collator=ImageCollator(renderer, config),
        train_dataset=Numbers(config.images),
        eval_dataset=Numbers(EVALUATED, first=HELD_OUT),
        callbacks=list(callbacks),
        optimizer_cls_and_kwargs=muon(config) if config.optimizer == "muon" else None,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.remove_callback(ProgressCallback)
    return trainer


def muon(config: PretrainingConfig) -> tuple[type[torch.optim.Optimizer], dict[str, Any]]:
    """Muon (Jordan et al. 2024) for matrices, at rates that suit AdamW, which does the rest.

    A ViT that has seen 60 thousand images with it is where AdamW is after twice as many or more.
    """
    options = {"lr": config.learning_rate, "weight_decay": config.weight_decay, "nesterov": True}
    return Muon, options


def training_arguments(recipe: PretrainRecipe, out: Path) -> VisionTrainingArguments:
    """The recipe in the Trainer's terms."""
    config = recipe.training
    on_gpu, bf16 = torch.cuda.is_available(), config.bfloat16
    arguments = VisionTrainingArguments(
        str(out),
        seed=recipe.seed,
        num_train_epochs=1,
        train_sampling_strategy="sequential",
        per_device_train_batch_size=config.batch_size,
        per_device_eval_batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        lr_scheduler_type="warmup_stable_decay",
        max_grad_norm=config.clip_gradient,
        ema_decay=config.ema_decay,
        bf16=on_gpu and torch.cuda.is_bf16_supported() if bf16 is None else bf16,
        use_cpu=not on_gpu,
        eval_strategy="steps",
        eval_steps=config.evaluate_every,
        save_strategy="steps",
        save_steps=config.evaluate_every,
        save_total_limit=2,
        logging_steps=50,
        report_to="none",
        # The collator makes images where the model is; there is nothing to copy or prefetch.
        dataloader_num_workers=0,
        dataloader_pin_memory=False,
    )
    steps = -(-config.images // (config.batch_size * arguments.world_size))
    arguments.warmup_steps = round(steps * config.warmup)
    arguments.lr_scheduler_kwargs = {"num_decay_steps": round(steps * config.decay)}
    return arguments
