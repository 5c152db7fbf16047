"""Detectors of each family behind the one interface: loss, answers, freezing, rates, adapters."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from transformers import (
    EvalPrediction,
    RTDetrImageProcessor,
    YolosImageProcessor,
)

from hf_vft.errors import ModelError, RecipeError
from hf_vft.models.freezing import eval_frozen_modules, set_trainable
from hf_vft.models.param_groups import parameter_groups
from hf_vft.models.structure import anatomy
from hf_vft.recipe.schema import EvaluationConfig
from hf_vft.tasks import Calibration, ObjectDetection, get_task, kind_of, task_for
from hf_vft.tasks.detection import top_detections
from tests.models.tiny import images
from tests.models.tiny_detectors import DETECTION_SIZE, DETECTORS

TASK = ObjectDetection()
LABELS = torch.tensor(
    [
        [[0, 0.5, 0.5, 0.2, 0.3], [2, 0.2, 0.3, 0.1, 0.1]],
        [[-100.0] * 5, [-100.0] * 5],
    ]
)


def inputs() -> dict[str, torch.Tensor]:
    return {"pixel_values": images(2, DETECTION_SIZE)}


WITH_NOTHING = ("yolos", "detr", "table_transformer")
"""They have a class for nothing, so that the scores of a query sum to one with it."""


@pytest.mark.parametrize("name", DETECTORS)
def test_every_family_learns_and_answers(name: str) -> None:
    model = DETECTORS[name]().train()
    set_trainable(model, "all")
    loss, _ = TASK.forward(model, inputs(), LABELS)
    loss.backward()
    assert torch.isfinite(loss)
    with torch.inference_mode():
        _, outputs = TASK.forward(model.eval(), inputs(), LABELS)
    assert outputs["scores"].shape == (2, 12, 3)
    assert (outputs["scores"] >= 0).all()
    assert (outputs["scores"].sum(-1) <= 1.0 + 1e-5).all() or name not in WITH_NOTHING
    assert outputs["boxes"].shape == (2, 12, 4)
    learning = [n for n, p in model.named_parameters() if p.grad is not None]
    assert any(name.startswith(anatomy(model).blocks) for name in learning)


@pytest.mark.parametrize("name", DETECTORS)
def test_frozen_parts_stay_to_the_bit(name: str) -> None:
    model = DETECTORS[name]()
    parts = anatomy(model)
    assert len(parts.blocks) >= 3
    before = {n: t.clone() for n, t in model.state_dict().items()}
    set_trainable(model, "head")
    learning = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=1e-2)
    for _ in range(2):
        model.train()
        eval_frozen_modules(model)
        optimizer.zero_grad()
        TASK.forward(model, inputs(), LABELS)[0].backward()
        optimizer.step()
    changed = {n for n, t in model.state_dict().items() if not torch.equal(t, before[n])}
    assert changed
    assert all(n.startswith(parts.head) for n in changed)


@pytest.mark.parametrize("name", DETECTORS)
def test_the_backbone_has_the_lower_rate_and_every_depth_its_own(name: str) -> None:
    model = DETECTORS[name]()
    set_trainable(model, "all")
    groups = parameter_groups(model, learning_rate=1e-4, head_learning_rate=1e-3, layer_decay=0.5)
    rates = {group["name"].removesuffix(", no decay"): group["lr"] for group in groups}
    assert rates["head"] == 1e-3
    blocks = [rate for part, rate in rates.items() if part.startswith("block")]
    assert max(blocks) == pytest.approx(1e-4)
    assert rates["stem"] == pytest.approx(1e-4 * 0.5 ** len(anatomy(model).blocks))
    assert sum(len(g["params"]) for g in groups) == len(list(model.parameters()))


@pytest.mark.parametrize(
    ("name", "processor"),
    [("rt_detr_v2", RTDetrImageProcessor()), ("yolos", YolosImageProcessor())],
)
def test_answers_are_those_of_the_processor_of_transformers(name: str, processor) -> None:
    model, names = DETECTORS[name](), ["a", "b", "c"]
    with torch.inference_mode():
        given = model(**inputs())
    outputs = TASK.outputs(tuple(TASK.answers(given, model.config).values()))
    sizes = [(200, 100), (80, 120)]
    ours = TASK.predictions(outputs, names, Calibration(thresholds=(0.3, 0.3, 0.3)), sizes)
    theirs = processor.post_process_object_detection(
        given, threshold=0.3, target_sizes=[size[::-1] for size in sizes]
    )
    for mine, expected, (width, height) in zip(ours, theirs, sizes, strict=True):
        scores = sorted(expected["scores"].tolist(), reverse=True)
        told = [found.score for found in mine.answered][: len(scores)]
        assert told == pytest.approx(scores[: len(told)], abs=1e-5)
        if len(scores):
            best = int(expected["scores"].argmax())
            box = expected["boxes"][best].clamp(min=0)
            box = torch.minimum(box, torch.tensor([width, height, width, height]))
            assert mine.answered[0].box == pytest.approx(box.tolist(), abs=1e-3)
            assert mine.answered[0].label == names[int(expected["labels"][best])]


def test_predictions_below_the_threshold_are_kept_for_the_slider() -> None:
    scores = np.array([[[0.9, 0.0], [0.2, 0.0], [0.01, 0.0]]])
    boxes = np.array([[[0.5, 0.5, 0.2, 0.2]] * 3])
    (one,) = TASK.predictions(
        (scores, boxes), ["a", "b"], Calibration(thresholds=(0.5, 0.5)), [(100, 50)]
    )
    assert [found.answered for found in one.objects or ()] == [True, False]
    assert one.labels == ("a",)
    assert one.scores.tolist() == [0.9, 0.0]
    assert TASK.as_dict(one, ["a", "b"], 1) == {
        "objects": [
            {
                "label": "a",
                "score": 0.9,
                "box": pytest.approx({"xmin": 40, "ymin": 20, "xmax": 60, "ymax": 30}),
            }
        ]
    }
    assert TASK.as_text(one, ["a", "b"], 1) == "a 90.0% at 40,20–60,30"


def test_scores_do_not_depend_on_how_processes_pad() -> None:
    """The Trainer pads labels of other processes with -100 and joins them."""
    scores = np.array([[[0.9, 0.1]], [[0.2, 0.8]]])
    boxes = np.array([[[0.5, 0.5, 0.2, 0.3]], [[0.2, 0.3, 0.1, 0.1]]])
    rows = np.array([[[0, 0.5, 0.5, 0.2, 0.3]], [[1, 0.2, 0.3, 0.1, 0.1]]])
    more = np.concatenate([rows, np.full((2, 4, 5), -100.0)], axis=1)
    found = [TASK.epoch_metrics(EvalPrediction((scores, boxes), labels)) for labels in (rows, more)]
    assert found[0] == found[1] == {"map50": 1.0, "map": 1.0}


def test_thresholds_are_chosen_on_validation_towards_what_is_asked() -> None:
    rng = np.random.default_rng(0)
    values, scores, boxes = [], [], []
    for _ in range(30):
        values.append({"size": [100, 100], "bbox": [[40, 40, 20, 20]], "category": [0]})
        near = [0.5, 0.5, 0.2, 0.2]
        boxes.append([near, [0.1, 0.1, 0.1, 0.1], [0.8, 0.8, 0.1, 0.1]])
        scores.append([[rng.uniform(0.3, 0.9)], [rng.uniform(0.1, 0.6)], [rng.uniform(0.1, 0.6)]])
    outputs = (np.array(scores), np.array(boxes))
    recall, precision = (
        TASK.calibrate(outputs, values, EvaluationConfig(beta=beta)).thresholds[0]
        for beta in (3.0, 0.3)
    )
    assert recall < precision


def test_a_query_may_answer_with_several_classes_and_a_hundred_boxes_count() -> None:
    scores = np.random.default_rng(0).random((1, 60, 3))
    (found,) = top_detections(scores, np.full((1, 60, 4), 0.1))
    assert len(found.scores) == 100
    assert found.scores.tolist() == sorted(scores.ravel().tolist(), reverse=True)[:100]


def test_the_baseline_answers_with_training_boxes() -> None:
    train = [{"size": [100, 50], "bbox": [[10, 10, 20, 20]], "category": [1]}] * 3
    scores, boxes = TASK.baselines(train, 4, 2)["typical_boxes"]
    assert scores.shape == (4, 3, 2)
    np.testing.assert_allclose(boxes[0, 0], [0.2, 0.4, 0.2, 0.4])
    assert scores[0, 0].tolist() == [0.0, 1.0]


def test_what_these_losses_lack_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"loss\.class_weights"):
        TASK.class_weights([1, 2], 3)


def test_tasks_are_found_by_name_and_by_kind() -> None:
    assert get_task("object-detection").kind == kind_of("object-detection") == "boxes"
    assert task_for("classes").name == "multi-label-classification"
    assert kind_of("auto") is None


def test_a_training_that_has_diverged_is_said_in_a_line() -> None:
    model = DETECTORS["rt_detr"]()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(math.nan)
    with pytest.raises(ModelError, match="diverged") as caught:
        TASK.forward(model, inputs(), LABELS)
    assert "learning_rate" in str(caught.value)
