"""VisionTrainer in place of Trainer: what each of its arguments does to the weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from torch import nn

from hf_vft import VisionTrainer, VisionTrainingArguments
from hf_vft.data.dataset import VisionDataset, labels_of
from hf_vft.data.transforms.images import eval_transform
from hf_vft.errors import DataError
from hf_vft.models.structure import anatomy
from hf_vft.training import trainer as trainer_module
from tests.made_images import image_rows, processor
from tests.models.tiny import tiny_convnext, tiny_mobilenet_v2, tiny_resnet, tiny_swin, tiny_vit
from tests.training.made_trainer import changed, dataset, make, snapshot

BUILDERS = {"resnet": tiny_resnet, "mobilenet_v2": tiny_mobilenet_v2, "convnext": tiny_convnext}


def test_it_is_small_enough_to_read():
    assert len(Path(trainer_module.__file__).read_text().splitlines()) <= 300


@pytest.mark.parametrize("build", [tiny_vit, tiny_swin, tiny_convnext])
def test_a_checkpoint_gives_back_every_weight(build: Callable[[], nn.Module], tmp_path: Path):
    """Also of models that are published under other names than those of their modules."""
    trainer = make(build(), tmp_path, save_strategy="steps", save_steps=3)
    trainer.train()
    trained = snapshot(trainer.model)
    fresh = make(build(), tmp_path / "fresh")
    with torch.no_grad():
        for value in fresh.model.parameters():
            value.zero_()
    fresh._load_from_checkpoint(str(tmp_path / "checkpoint-3"))
    assert not changed(fresh.model, trained)
    assert "save_pretrained" not in vars(trainer.model)


class TestFreezing:
    @pytest.mark.parametrize("family", BUILDERS)
    def test_only_the_head_moves_to_the_bit(self, family: str, tmp_path: Path):
        model = BUILDERS[family]()
        before, parts = snapshot(model), anatomy(model)
        trainer = make(model, tmp_path, train_part="head", weight_decay=0.1)
        trainer.evaluate()
        trainer.train()
        moved = changed(model, before)
        assert moved
        assert {parts.depth(name) for name in moved} == {parts.head_depth}

    def test_below_the_top_blocks_weights_and_statistics_stay(self, tmp_path: Path):
        model = tiny_resnet()
        before, parts = snapshot(model), anatomy(model)
        make(model, tmp_path, train_part="blocks:2").train()
        moved = changed(model, before)
        assert min(parts.depth(name) for name in moved) == parts.head_depth - 2
        assert any("running_mean" in name for name in moved)

    def test_statistics_can_be_kept_while_everything_learns(self, tmp_path: Path):
        model = tiny_resnet()
        before = snapshot(model)
        make(model, tmp_path, freeze_batch_norm=True).train()
        moved = changed(model, before)
        assert not [name for name in moved if "running" in name or "tracked" in name]
        assert {name for name, _ in model.named_parameters()} == moved

    def test_without_it_they_move(self, tmp_path: Path):
        model = tiny_resnet()
        before = snapshot(model)
        make(model, tmp_path).train()
        assert any("running_var" in name for name in changed(model, before))

    @pytest.mark.parametrize("way", ["all", None])
    def test_by_default_what_the_user_froze_stays_frozen(self, way: str | None, tmp_path: Path):
        model = tiny_resnet()
        before = snapshot(model)
        model.resnet.requires_grad_(False)
        make(model, tmp_path, train_part=way).train()
        moved = {name.partition(".")[0] for name in changed(model, before)}
        assert moved == ({"classifier"} if way is None else {"classifier", "resnet"})


class TestWhatTheUserBrings:
    def brought(self, model: nn.Module, folder: Path, **kwargs: Any) -> VisionTrainer:
        options: dict[str, Any] = {"max_steps": 2, "use_cpu": True, "report_to": []}
        options |= {"train_part": "head", "ema_decay": 0.5, "save_strategy": "no"}
        args = VisionTrainingArguments(output_dir=str(folder), **options, disable_tqdm=True)
        return VisionTrainer(
            model, args, train_dataset=dataset(), eval_dataset=dataset(5), **kwargs
        )

    def test_with_an_optimizer_of_ones_own_freezing_and_averages_still_work(self, tmp_path: Path):
        model = tiny_resnet()
        before, parts = snapshot(model), anatomy(model)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1)
        trainer = self.brought(model, tmp_path, optimizers=(optimizer, None))
        trainer.train()
        assert {parts.depth(name) for name in changed(model, before)} == {parts.head_depth}
        assert trainer.ema is not None

    def test_the_optimizer_class_and_its_rate_are_taken(self, tmp_path: Path):
        chosen = (torch.optim.RMSprop, {"lr": 0.25})
        trainer = self.brought(tiny_resnet(), tmp_path, optimizer_cls_and_kwargs=chosen)
        optimizer = trainer.create_optimizer()
        assert isinstance(optimizer, torch.optim.RMSprop)
        assert {group["lr"] for group in optimizer.param_groups} == {0.25}

    def test_the_loss_is_that_of_the_function(self, tmp_path: Path):
        def loss(outputs: Any, labels: Any, num_items_in_batch: Any = None) -> torch.Tensor:
            return outputs["logits"].square().mean() + 7.0

        trainer = self.brought(tiny_resnet(), tmp_path, compute_loss_func=loss)
        assert trainer.evaluate()["eval_loss"] > 7.0
        trainer.train()
        assert trainer.state.log_history[-1]["train_loss"] > 7.0


class TestRates:
    def groups(self, trainer: VisionTrainer) -> dict[str, tuple[float, float]]:
        """Rate and decay of every parameter, by name."""
        trainer.create_optimizer()
        names = {id(p): name for name, p in trainer.model.named_parameters()}
        return {
            names[id(p)]: (group["lr"], group["weight_decay"])
            for group in trainer.optimizer.param_groups
            for p in group["params"]
        }

    def test_each_depth_has_its_rate_and_norms_do_not_decay(self, tmp_path: Path):
        model = tiny_vit()
        parts = anatomy(model)
        rates = {"learning_rate": 1e-3, "head_learning_rate": 5e-3, "layer_decay": 0.5}
        trainer = make(model, tmp_path, weight_decay=0.1, **rates)
        for name, (rate, decay) in self.groups(trainer).items():
            depth = parts.depth(name)
            top = 1e-3 * 0.5 ** (len(parts.blocks) - depth)
            assert rate == pytest.approx(5e-3 if depth == parts.head_depth else top)
            if name.endswith("bias") or "norm" in name or "embeddings.c" in name:
                assert decay == 0.0, name
            if name.endswith("fc1.weight"):
                assert decay == 0.1

    def test_the_log_shows_the_rate_that_was_asked_for(self, tmp_path: Path):
        rates = {"learning_rate": 1e-3, "head_learning_rate": 5e-3, "layer_decay": 0.5}
        trainer = make(tiny_vit(), tmp_path, logging_steps=1, **rates)
        trainer.train()
        shown = [entry["learning_rate"] for entry in trainer.state.log_history if "loss" in entry]
        assert shown == [1e-3] * 3

    def test_a_rate_of_nothing_moves_nothing(self, tmp_path: Path):
        model = tiny_vit()
        before, parts = snapshot(model), anatomy(model)
        make(model, tmp_path, learning_rate=0.0, head_learning_rate=0.01).train()
        assert {parts.depth(name) for name in changed(model, before)} == {parts.head_depth}

    def test_patterns_set_the_rate_of_what_they_match(self, tmp_path: Path):
        trainer = make(tiny_vit(), tmp_path, parameter_rates={r"\.mlp\.": 0.5})
        rates = {name: rate for name, (rate, _) in self.groups(trainer).items()}
        assert {rate for name, rate in rates.items() if ".mlp." in name} == {0.5}
        assert {rate for name, rate in rates.items() if ".mlp." not in name} == {0.01}


class TestLoss:
    def step(self, tmp_path: Path, **changes: Any) -> tuple[float, torch.Tensor]:
        """Loss and gradient of the head at the first step, on all nine images."""
        model = tiny_convnext()
        trainer = make(model, tmp_path, **changes)
        rows = dataset()
        batch = trainer.data_collator([rows[i] for i in range(len(rows))])
        model.train()
        loss = trainer.compute_loss(model, batch)
        loss.backward()
        return float(loss.detach()), model.classifier.weight.grad.clone()

    def expected(self, targets: torch.Tensor | None = None, **options: Any) -> torch.Tensor:
        model, rows = tiny_convnext(), dataset()
        batch = torch.stack([rows[i]["pixel_values"] for i in range(9)])
        ids = torch.tensor(rows.labels)
        return nn.functional.cross_entropy(
            model(batch).logits, ids if targets is None else targets, reduction="none", **options
        ).mean()

    def test_smoothing_and_weights_are_those_of_torch(self, tmp_path: Path):
        plain, _ = self.step(tmp_path)
        assert plain == pytest.approx(float(self.expected()))
        smooth, _ = self.step(tmp_path, label_smoothing_factor=0.2)
        assert smooth == pytest.approx(float(self.expected(label_smoothing=0.2)))
        assert smooth != pytest.approx(plain, abs=1e-5)
        weights = [2.0, 0.5, 0.5]
        weighed, _ = self.step(tmp_path, class_weights=weights)
        assert weighed == pytest.approx(float(self.expected(weight=torch.tensor(weights))))
        assert weighed != pytest.approx(plain, abs=1e-5)

    def test_an_evaluation_is_plain(self, tmp_path: Path):
        changes = {"label_smoothing_factor": 0.3, "mixup_alpha": 1.0, "class_weights": [9, 1, 1]}
        plain = make(tiny_convnext(), tmp_path).evaluate()["eval_loss"]
        assert make(tiny_convnext(), tmp_path, **changes).evaluate()["eval_loss"] == plain

    @pytest.mark.parametrize("way", ["mixup_alpha", "cutmix_alpha"])
    def test_mixing_makes_soft_targets_and_changes_images(
        self, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        trainer = make(tiny_convnext(), tmp_path, **{way: 1.0})
        seen = []
        real = trainer.task.loss
        monkeypatch.setattr(
            trainer.task, "loss", lambda out, y, **k: seen.append(y) or real(out, y, **k)
        )
        rows = dataset()
        batch = trainer.data_collator([rows[i] for i in range(9)])
        pixels = batch["pixel_values"].clone()
        shown = []
        trainer.model.register_forward_pre_hook(
            lambda _, __, options: shown.append(options["pixel_values"]), with_kwargs=True
        )
        trainer.model.train()
        trainer.compute_loss(trainer.model, batch)
        assert seen[0].shape == (9, 3)
        torch.testing.assert_close(seen[0].sum(1), torch.ones(9))
        assert not torch.equal(shown[0], pixels)

    def test_accumulated_steps_are_one_large_step(self, tmp_path: Path):
        ends = []
        for size, steps in ((8, 1), (4, 2), (2, 4)):
            model = tiny_convnext()
            options: dict[str, Any] = {
                "per_device_train_batch_size": size,
                "gradient_accumulation_steps": steps,
            }
            options |= {"data": dataset(16), "max_steps": 2, "optim": "sgd", "logging_steps": 1}
            trainer = make(model, tmp_path, **options)
            trainer.train()
            losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
            ends.append((losses, snapshot(model)))
        for losses, end in ends[1:]:
            assert losses == pytest.approx(ends[0][0], rel=1e-4)
            for name, value in end.items():
                torch.testing.assert_close(value, ends[0][1][name], atol=1e-6, rtol=1e-4)


class TestSampling:
    def drawn(self, data: Any, folder: Path, **changes: Any) -> list[int]:
        trainer = make(tiny_convnext(), folder, data=data, num_train_epochs=1, **changes)
        return [int(i) for batch in trainer.get_train_dataloader() for i in batch["labels"]]

    def test_balanced_sampling_draws_classes_equally(self, tmp_path: Path):
        rows = image_rows(60)
        uneven = rows.select([i for i in range(60) if i % 3 == 0 or i < 12])
        data = VisionDataset(uneven, eval_transform(processor()))
        shares = np.bincount(self.drawn(data, tmp_path, balanced_sampling=True), minlength=3)
        plain = np.bincount(self.drawn(data, tmp_path), minlength=3)
        assert plain.tolist() == [20, 4, 4]
        assert shares.sum() == 28
        assert shares.min() >= 5

    def test_a_dataset_without_labels_says_so(self, tmp_path: Path):
        with pytest.raises(DataError, match="labels"):
            self.drawn([{"pixel_values": torch.zeros(3, 8, 8)}], tmp_path, balanced_sampling=True)

    def test_labels_are_told_without_decoding(self):
        rows = image_rows(4).with_transform(lambda _: pytest.fail("decoded"))
        assert labels_of(rows) == [0, 1, 2, 0]


class TestEvaluation:
    def test_dropping_the_last_batch_of_training_costs_no_evaluation(self, tmp_path: Path):
        changes = {"dataloader_drop_last": True, "per_device_eval_batch_size": 4}
        trainer = make(tiny_convnext(), tmp_path, **changes)
        assert len(trainer.predict(dataset(5)).label_ids) == 5
        assert len(trainer.get_train_dataloader()) == 2

    def test_images_without_labels_are_predicted(self, tmp_path: Path):
        rows = dataset(5)
        blind = [{"pixel_values": rows[i]["pixel_values"]} for i in range(5)]
        assert make(tiny_convnext(), tmp_path).predict(blind).predictions.shape == (5, 3)

    def test_training_in_half_precision_leaves_a_model_of_full_precision(self, tmp_path: Path):
        model = tiny_convnext()
        trainer = make(model, tmp_path, bf16=True)
        trainer.train()
        trainer_module.release(model)
        weights = snapshot(model)
        plain = tiny_convnext()
        plain.load_state_dict(weights)
        pixels = torch.stack([dataset()[0]["pixel_values"]])
        assert torch.equal(model.eval()(pixels).logits, plain.eval()(pixels).logits)


def test_images_that_map_has_stored_as_nested_lists_are_seen(tmp_path: Path):
    seen = dataset(6)
    stored = datasets.Dataset.from_list(
        [{"pixel_values": row["pixel_values"].tolist(), "labels": row["labels"]} for row in seen]
    )
    found = make(tiny_convnext(), tmp_path).predict(stored)
    expected = make(tiny_convnext(), tmp_path).predict(seen)
    np.testing.assert_allclose(found.predictions, expected.predictions, atol=1e-6)
    assert found.label_ids.tolist() == expected.label_ids.tolist()


def test_a_plain_script_with_a_datasets_dataset(tmp_path: Path):
    """As in the README: nothing of hf-vft but the two names."""
    rows = image_rows(24).cast_column("image", datasets.Image())
    process = processor()

    def transform(batch: dict[str, Any]) -> dict[str, Any]:
        rgb = [one.convert("RGB") for one in batch["image"]]
        pixels = process(rgb, return_tensors="pt")["pixel_values"]
        return {"pixel_values": pixels, "labels": batch["label"]}

    train = rows.with_transform(transform)
    args = VisionTrainingArguments(
        output_dir=str(tmp_path),
        num_train_epochs=8,
        per_device_train_batch_size=8,
        learning_rate=3e-3,
        layer_decay=0.8,
        mixup_alpha=0.1,
        balanced_sampling=True,
        eval_strategy="epoch",
        save_strategy="epoch",
        load_best_model_at_end=True,
        metric_for_best_model="accuracy",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        seed=1,
    )
    trainer = VisionTrainer(tiny_vit(), args, train_dataset=train, eval_dataset=train)
    before = trainer.evaluate()
    trainer.train()
    after = trainer.evaluate()
    assert after["eval_loss"] < before["eval_loss"]
    assert after["eval_accuracy"] > 0.6
    assert (tmp_path / "checkpoint-24").is_dir()
