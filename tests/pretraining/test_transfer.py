import numpy as np
import torch
from torch import nn

from hf_vft.models.structure import Anatomy
from hf_vft.pretraining.transfer import TransferSet, digits, features, probe_score


class Brightness(nn.Module):
    """A classifier whose head sees how bright an image is, and noise."""

    anatomy = Anatomy(stem=(), blocks=(), tail=(), head=("classifier",))

    def __init__(self) -> None:
        super().__init__()
        self.classifier = nn.Linear(2, 3)

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        bright = pixel_values.mean((1, 2, 3))
        return self.classifier(torch.stack([bright, torch.randn_like(bright)], 1))


def levels(per_class: int) -> tuple[np.ndarray, np.ndarray]:
    labels = np.repeat([0, 1, 2], per_class)
    images = np.broadcast_to(labels[:, None, None, None] * 100, (len(labels), 4, 4, 3))
    return images.astype(np.uint8), labels


def test_features_that_say_everything_score_one_and_none_a_third_or_less():
    train, test = levels(20), levels(10)
    data = TransferSet("levels", *train, *test)
    assert probe_score(Brightness(), data) == 1.0
    mixed = TransferSet("mixed", train[0], np.roll(train[1], 7), test[0][::-1].copy(), test[1])
    assert probe_score(Brightness(), mixed) < 0.8


def test_features_come_in_the_order_of_the_images():
    images, labels = levels(50)
    assert (np.diff(features(Brightness(), images)[:, 0]) >= 0).all()
    assert len(features(Brightness(), images)) == len(labels)


def test_digits_are_enlarged_and_drawn_a_class():
    data = digits(16)
    assert len(data.train_x) + len(data.test_x) == 1797
    assert data.classes == 10
    assert data.train_x.shape[1:] == (16, 16, 3)
    chosen = data.subset(10, 0)
    assert (np.bincount(data.train_y[chosen]) == 10).all()
    assert not np.array_equal(chosen, data.subset(10, 1))
