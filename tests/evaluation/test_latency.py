from __future__ import annotations

import time

import pytest
import torch
from torch import nn

from hf_vft.errors import RecipeError
from hf_vft.evaluation.latency import measure_cost, peak_bytes, weight_bytes
from tests.models import tiny, tiny_detectors


def test_a_cost_is_measured_and_leaves_the_model_as_it_was() -> None:
    model = tiny.tiny_resnet().train()
    cost = measure_cost(model, tiny.SIZE)
    assert model.training
    assert cost.device == "cpu"
    assert cost.parameters == sum(p.numel() for p in model.parameters())
    assert 0 < cost.latency_ms <= cost.latency_p95_ms
    assert cost.memory > weight_bytes(model)
    assert cost.gmacs > 0


def test_parameters_that_modules_are_given_are_no_obstacle() -> None:
    """As the position embeddings of YOLOS, which its interpolation takes."""
    assert measure_cost(tiny_detectors.tiny_yolos(), tiny_detectors.DETECTION_SIZE).gmacs > 0


def test_a_slower_model_measures_slower() -> None:
    class Sleepy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 2)

        def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
            time.sleep(0.02)
            found: torch.Tensor = self.linear(pixel_values.mean((2, 3)))
            return found

    assert measure_cost(Sleepy(), 8).latency_ms >= 20


def test_peak_counts_what_lives_at_one_time_and_the_backward_pass() -> None:
    x = torch.zeros(1000)

    def chain() -> torch.Tensor:
        first = x + 1
        second = first * 2
        del first
        return second + 1

    assert peak_bytes(chain) == 2 * x.nbytes
    layers = [nn.Linear(100, 100) for _ in range(3)]

    def train() -> None:
        y = x.view(10, 100)
        for layer in layers:
            y = torch.relu(layer(y))
        y.sum().backward()

    gradients = sum(p.nbytes for layer in layers for p in layer.parameters())
    assert peak_bytes(train) >= gradients


def test_a_device_that_is_not_there_is_said() -> None:
    with pytest.raises(RecipeError, match=r"search\.latency_device: this machine has no 'tpu'"):
        measure_cost(tiny.tiny_resnet(), tiny.SIZE, device="tpu")
