"""What surrounds a model: an image becomes the same input, however its settings are written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import ViTConfig, ViTImageProcessorPil

from hf_vft.errors import ModelError
from hf_vft.models.processors import Fit, reframe
from hf_vft.tasks import get_task
from tests.families.replicas import REPLICAS
from tests.families.subject import Subject

VIT, DETR = "google/vit-base-patch16-224-in21k", "facebook/detr-resnet-50"
SHORTEST = {"shortest_edge": 32}


def with_settings(name: str, folder: Path, **changes: Any) -> Subject:
    """A replica whose processor is written in another way; None leaves a field out."""
    replica = REPLICAS[name]
    replica.write(folder / "replica")
    file = folder / "replica" / "preprocessor_config.json"
    settings = json.loads(file.read_text()) | changes
    file.write_text(json.dumps({k: v for k, v in settings.items() if v is not None}))
    return Subject(name, folder / "replica", replica.task, replica.side)


def pixels(subject: Subject, **options: Any) -> torch.Tensor:
    """What training, serving and validation make of an image."""
    return image_input(subject, subject.load(**options).processor)


def image_input(subject: Subject, processor: Any) -> torch.Tensor:
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8))
    found: torch.Tensor = get_task(subject.task).plain(processor)(image)
    return found


@pytest.mark.parametrize(
    "changes",
    [
        {"size": 32},
        {"size": [32, 32]},
        {"size": {"height": 32, "width": 32}},
        {"do_convert_rgb": None},
        {"do_convert_rgb": False},
        {"do_convert_rgb": True},
        {"use_fast": True},
        {"feature_extractor_type": None, "image_processor_type": "ViTImageProcessor"},
        {"feature_extractor_type": None, "image_processor_type": "ViTImageProcessorFast"},
        {"feature_extractor_type": None, "image_processor_type": "ViTImageProcessorPil"},
        {"feature_extractor_type": None, "image_processor_type": "ViTFeatureExtractor"},
        {"feature_extractor_type": None},
    ],
    ids=json.dumps,
)
def test_a_setting_means_the_same_however_it_is_written(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    expected = pixels(with_settings(VIT, tmp_path / "plain"))
    found = pixels(with_settings(VIT, tmp_path / "changed", **changes))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("fit", ["squash", "pad"])
def test_the_backend_of_pillow_is_framed_as_that_of_torchvision(fit: Fit, tmp_path: Path) -> None:
    """Nearly: the two resize with other roundings."""
    subject = with_settings(VIT, tmp_path)
    own = ViTImageProcessorPil.from_pretrained(subject.folder)
    framed = reframe(own, ViTConfig(), 32, fit)
    assert type(framed).__name__.endswith("Pil")
    difference = (image_input(subject, framed) - pixels(subject, image_fit=fit)).abs().mean()
    assert difference < 0.02


def test_a_processor_that_gives_a_mask_as_well_gives_the_image(tmp_path: Path) -> None:
    subject = with_settings(DETR, tmp_path, do_pad=True)
    loaded = subject.load()
    image = Image.new("RGB", (60, 40))
    assert get_task(subject.task).plain(loaded.processor)(image).shape == (3, 64, 64)


def test_a_repository_without_a_processor_is_refused_in_a_line(tmp_path: Path) -> None:
    subject = with_settings(VIT, tmp_path)
    (subject.folder / "preprocessor_config.json").unlink()
    with pytest.raises(ModelError) as caught:
        subject.load()
    assert "\n" not in str(caught.value)
    assert "preprocessor_config.json" in str(caught.value)
