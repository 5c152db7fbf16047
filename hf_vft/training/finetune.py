"""The seven steps: load, new head, freeze, train the head, unfreeze, train on, evaluate.

The head is first fitted to convergence on the features of the frozen backbone, which is also
the baseline (LP-FT, Kumar et al. 2022). Stages that train the head alone run on cached
features; the others train the whole model.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from torch import nn

from hf_vft.data.dataset import VisionDataset
from hf_vft.data.decoded_cache import DecodedImages
from hf_vft.data.load import ImageData
from hf_vft.data.transforms.images import ONE_PASS
from hf_vft.errors import RecipeError
from hf_vft.models.features import HeadOnFeatures
from hf_vft.models.few_shot import PROBE, FewShot, few_shot_head
from hf_vft.models.load import LoadedModel
from hf_vft.models.logistic import LinearHead, LinearProbe
from hf_vft.models.lora import add_lora
from hf_vft.models.modules_to_save import parameters_left
from hf_vft.models.new_rows import Seen, with_new_rows
from hf_vft.models.structure import head_module, last_linear
from hf_vft.models.weight_line import State, copied
from hf_vft.recipe.schema import Choice, StageConfig
from hf_vft.training.feature_cache import CachedFeatures
from hf_vft.training.fit_memory_bank import fit_memory_bank
from hf_vft.training.model_on_data import ModelOnData
from hf_vft.training.stages import StageContext, StageResult, run_stage


@dataclass
class FineTuned:
    """The result of fine-tuning.

    Attributes:
        model: Trained; with LoRA still wrapped by peft.
        stages: What each brought.
        probe_logits: Of the linear probe, by held-out split; empty without a probe.
        notes: What a person should know.
        begins_with_probe: Whether the head of the linear probe is what training began with.
        averaged: Whether the weights are the average of several trainings.
        choices: What was decided while it learned.
        few_shot: The heads that were compared, where classes have few images.
    """

    model: nn.Module
    stages: list[StageResult]
    probe_logits: dict[str, np.ndarray] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    begins_with_probe: bool = False
    averaged: bool = False
    choices: list[Choice] = field(default_factory=list)
    few_shot: FewShot | None = None

    @property
    def begins_with(self) -> str:
        """The head that training began with, in words for people."""
        return f"the {self.few_shot.name if self.few_shot else PROBE}"

    @property
    def improved(self) -> bool:
        """Whether a stage was kept; without one the weights are those that training began with."""
        return self.averaged or any(stage.best is not None for stage in self.stages)

    @property
    def epochs(self) -> float:
        """Number of epochs over all stages; a stage may end within one."""
        return sum(float(stage.history[-1]["epoch"]) for stage in self.stages if stage.history)

    @property
    def seconds(self) -> float:
        """Seconds of training, over all stages."""
        return sum(stage.seconds for stage in self.stages)


class FineTuning(ModelOnData):
    """The training of one model on one data set, by a resolved recipe.

    Args:
        context: What the stages share.
        loaded: The model with its new head, and its processor.
        data: Divided images.
        probe: The linear probe, where it was fitted before.

    Raises:
        ModelError: If an adapter would not load on the checkpoint that it is trained on.
    """

    def __init__(
        self,
        context: StageContext,
        loaded: LoadedModel,
        data: ImageData,
        probe: LinearProbe | None = None,
    ) -> None:
        super().__init__(context, loaded, data)
        self.probe = probe
        self.features: dict[str, np.ndarray] = {}
        """Of the frozen backbone ``[N, D]``, by split; empty without a probe."""
        self.few_shot: FewShot | None = None
        """The heads that were compared, where the recipe asks for it."""
        self.start: State | None = None
        """Weights of the network whose head was fitted to convergence; None where none was."""
        self.pretrained = loaded.checkpoint.pretrained
        self.fresh = loaded.fresh

    @cached_property
    def random(self) -> Any:
        """Random changes, then the processor."""
        return self.context.task.random(self._processor, self.recipe.augment)

    def run(self) -> FineTuned:
        """Probe, then every stage in order; or remember, where nothing is trained."""
        if self.context.task.memorises:
            found = fit_memory_bank(self)
            return FineTuned(self.model, [], notes=found.notes, choices=found.choices)
        notes: list[str] = []
        logits = self.begin(notes)
        if not logits:
            if not self.recipe.stages:
                why = self._why_no_probe()
                raise RecipeError(f"stages: with none, a fitted head is delivered. {why}")
            notes.append(self._why_no_probe())
        stages = []
        for stage in self.recipe.stages:
            if stage.train != "head":
                self._adapt(notes)
            if self._mixing_is_lost(stage):
                notes.append(
                    f"Stage {stage.name} learned without mixup and cutmix, which mix images, "
                    "from cached features; training.cache_features=false has them."
                )
            stages.append(self._stage(stage))
        begins_with_probe = self.start is not None
        return FineTuned(
            self.model, stages, logits, notes, begins_with_probe, few_shot=self.few_shot
        )

    def extend(self, tuned: FineTuned, stage: StageConfig) -> FineTuned:
        """Run one more stage, starting from the weights that the others left."""
        stages = [*tuned.stages, self._stage(stage)]
        return replace(tuned, stages=stages)

    def with_test_images(self, data: ImageData, rows: Sequence[int]) -> FineTuning:
        """The same model, as trained so far, with other images as its test split.

        Args:
            data: The same but for its test split, which holds images of training.
            rows: Their places in the training split.
        """
        other = copy.copy(self)
        other.data = data
        if self.features:
            other.features = self.features | {"test": self.features["train"][list(rows)]}
        return other

    def begin(self, notes: list[str] | None = None) -> dict[str, np.ndarray]:
        """Give the head the weights of the linear probe, and say what that answers, by split.

        Args:
            notes: What a person should know of the probe is added to them.
        """
        return self._probe([] if notes is None else notes) if self._probes() else {}

    def _probes(self) -> bool:
        return self.recipe.probe.enabled and self.has_one_head and self.context.task.probes

    def _why_no_probe(self) -> str:
        if not self.context.task.probes:
            return "No linear probe was fitted: it has no boxes to answer with."
        if self.has_one_head:
            return "No linear probe was fitted: the recipe says so."
        return "No linear probe was fitted: this model has more than one head."

    def _probe(self, notes: list[str]) -> dict[str, np.ndarray]:
        """Fit the head to convergence, start from it if pre-trained, and say what it answers."""
        config, labels = self.recipe.probe, self.data.splits["train"]["label"]
        features = self.features = {
            split: self.probe_features(self.dataset(split), split) for split in self.data.splits
        }
        probe: list[LinearProbe | None] = [self.probe]
        if self.probe is None and PartialState().is_main_process:
            self.context.display.say("Fitting the linear probe to convergence.")
            probe[0] = self.context.task.fit_probe(
                features["train"],
                labels,
                num_classes=len(self.data.labels),
                folds=config.folds,
                groups=self.data.groups("train"),
                balanced=config.class_weights == "balanced",
                seed=self.recipe.seed,
            )
        # One process fits, so that all start from the same bits.
        fitted = self.probe = broadcast_object_list(probe)[0]
        if fitted.cv_log_loss is None:
            notes.append(
                "The penalty of the linear probe is a usual one, not a tested one: too few "
                "images, or groups, of a class to cross-validate."
            )
        head: LinearHead = fitted
        if config.head == "few_shot":
            self.few_shot = self._compare_heads(features["train"], fitted)
            head = self.few_shot.head
        # Random features soon are other ones, and a head that fits them is in the way.
        stays = self.pretrained or not self.recipe.stages
        if stays and not self.recipe.model.keep_head:
            head.copy_to(last_linear(self.model))
            self.start = copied(self.model)
        if self.fresh:
            self._add_rows(features)
        return {split: fitted.logits(features[split]) for split in features if split != "train"}

    def _compare_heads(self, plain: np.ndarray, probe: LinearProbe) -> FewShot:
        """Fit several heads to several views of each image, and say which is the best."""
        count = self.recipe.probe.views - 1
        found = [plain]
        if count:
            shown = self.dataset("train", self.random)
            inputs = self.features_of(shown, self._changed(), views=count)
            found += [self._last_features(view) for view in inputs]
        chosen: list[FewShot | None] = [None]
        if PartialState().is_main_process:
            chosen[0] = few_shot_head(
                np.stack(found),
                np.asarray(self.data.splits["train"]["label"]),
                num_classes=len(self.data.labels),
                probe=probe,
                groups=self.data.groups("train"),
                seed=self.recipe.seed,
            )
        best: FewShot = broadcast_object_list(chosen)[0]
        self.context.display.say(f"Head: {best.name}; {best.reason}.")
        return best

    def _add_rows(self, features: dict[str, np.ndarray]) -> None:
        """Fit rows of the head for classes that it does not know; the others stay as they are."""
        linear = last_linear(self.model)
        weight = linear.weight.detach().flatten(1).cpu().numpy()
        bias = linear.bias.detach().cpu().numpy()  # type: ignore[union-attr]
        train, held_out = (
            Seen(features[split], np.asarray(self.data.splits[split]["label"]))
            for split in ("train", "validation")
        )
        fitted = [
            with_new_rows(
                LinearHead(weight, bias), self.fresh, train, held_out, seed=self.recipe.seed
            )
        ]
        broadcast_object_list(fitted)[0].copy_to(linear)

    def _changed(self) -> str:
        """What the random changes are, for the names of cached features."""
        return f"train {self.recipe.augment.model_dump_json()} {ONE_PASS}"

    def _stage(self, stage: StageConfig) -> StageResult:
        if self._is_cached(stage):
            return self._head_stage(stage)
        train = self.training_images(stage)
        return run_stage(self.context, stage, self.model, train, self.dataset("validation"))

    def training_images(self, stage: StageConfig) -> VisionDataset:
        """What a stage that sees images learns from, decoded once if the recipe says so."""
        images = self.dataset("train", self.random if stage.augment else self.plain)
        if self.recipe.training.cache_images and images.reader is not None:
            content = f"{self.data.fingerprint} train"
            images.decoded = DecodedImages(content, images.reader, images.decoder)
            if PartialState().is_local_main_process:
                images.decoded.make_room()
        return images

    def _is_cached(self, stage: StageConfig) -> bool:
        return stage.train == "head" and self.recipe.training.cache_features and self.has_one_head

    def _mixing_is_lost(self, stage: StageConfig) -> bool:
        augment = self.recipe.augment
        mixes = float(augment.mixup_alpha) > 0 or float(augment.cutmix_alpha) > 0
        return self._is_cached(stage) and stage.augment and mixes

    def _head_stage(self, stage: StageConfig) -> StageResult:
        """The same training, on what the frozen backbone made of the images."""
        views = min(stage.views, max(1, round(stage.epochs))) if stage.augment else 1
        change = self._changed() if stage.augment else "train"
        shown = self.dataset("train", self.random if stage.augment else self.plain)
        train = self.features_of(shown, change, views=views)
        validation = self.features_of(self.dataset("validation"), "validation", views=1)
        return run_stage(
            self.context,
            stage,
            HeadOnFeatures(head_module(self.model)),
            CachedFeatures(train, self.data.splits["train"]["label"]),
            CachedFeatures(validation, self.data.splits["validation"]["label"]),
        )

    def _adapt(self, notes: list[str]) -> None:
        """Put the adapters in place, once."""
        if self.recipe.model.lora is None or hasattr(self.model, "peft_config"):
            return
        left = parameters_left(self.model)
        self.model = add_lora(self.model, self.recipe.model.lora)
        if left:
            notes.append(
                f"With adapters {', '.join(left)} stayed as in the checkpoint: peft trains and "
                "saves whole modules, and these parameters stand outside of any."
            )
