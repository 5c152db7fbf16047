"""TrainingArguments with what fine-tuning vision models needs besides."""

from __future__ import annotations

from dataclasses import dataclass, field

from transformers import TrainingArguments


@dataclass
class VisionTrainingArguments(TrainingArguments):
    """``transformers.TrainingArguments`` with the additional fields below.

    ``label_smoothing_factor`` is honoured together with mixup, cutmix and class weights.
    Columns are kept by default, since images are decoded from columns that no model's
    ``forward`` names.
    """

    remove_unused_columns: bool = field(default=False)
    label_names: list[str] | None = field(default_factory=lambda: ["labels"])
    train_part: str | None = field(
        default=None,
        metadata={
            "help": "What is trained: head, blocks:K (the top K blocks and the head), all. By "
            "default whatever has requires_grad."
        },
    )
    head_learning_rate: float | None = field(
        default=None, metadata={"help": "Rate of the head; by default that of the backbone."}
    )
    layer_decay: float = field(
        default=1.0,
        metadata={"help": "Each block below the top trains at this share of the rate above."},
    )
    parameter_rates: dict[str, float] | None = field(
        default=None,
        metadata={
            "help": "Regular expressions and the rate of the parameters whose names they match, "
            "whatever their depth; one that matches nothing is an error."
        },
    )
    mixup_alpha: float = field(default=0.0, metadata={"help": "Beta parameter; 0 is off."})
    cutmix_alpha: float = field(default=0.0, metadata={"help": "Beta parameter; 0 is off."})
    class_weights: list[float] | None = field(
        default=None, metadata={"help": "One weight a class, of mean one over the images."}
    )
    loss_name: str = field(
        default="auto", metadata={"help": "One of the losses of the task; by default its first."}
    )
    class_priors: list[float] | None = field(
        default=None,
        metadata={"help": "Share of each class in training, for the loss logit_adjusted."},
    )
    balanced_sampling: bool = field(
        default=False, metadata={"help": "Draw every class equally often."}
    )
    ema_decay: float = field(
        default=0.0,
        metadata={"help": "Evaluate and keep a moving average of the weights; 0 is off."},
    )
    freeze_batch_norm: bool = field(
        default=False,
        metadata={"help": "Keep the running statistics of BatchNorm as the checkpoint has them."},
    )
