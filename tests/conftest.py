"""What many tests share: tiny checkpoints on disk, a small data set, a cache of their own.

Imports stand in the fixtures: the process that only hands out tests to workers needs none, and
would spend a quarter of a minute on them before the first test.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

# Read by huggingface_hub when it is imported: the Hub of the tests stores large files by LFS.
os.environ.setdefault("HF_HUB_DISABLE_XET", "1")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or fills the user's cache; subprocesses inherit this one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_VFT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _few_splits() -> Iterator[None]:
    """Runs learn from two halves of their reference what chance does; forks do as well."""
    import hf_vft.workflows.steps.reference

    with pytest.MonkeyPatch.context() as patch:
        few = partial(hf_vft.workflows.steps.reference.with_null_quantiles, splits=2)
        patch.setattr(hf_vft.workflows.steps.reference, "with_null_quantiles", few)
        yield


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """115 generated images in six classes: no split divides evenly by two or three."""
    from hf_vft.data.demo.images import write_demo_images
    from tests.runs import IMAGE_SIZE

    return write_demo_images(tmp_path_factory.mktemp("data") / "line", n=115, size=IMAGE_SIZE)


@pytest.fixture(scope="session")
def convnext(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny ConvNeXt checkpoint with its processor."""
    return _checkpoint("convnext", tmp_path_factory)


@pytest.fixture(scope="session")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny ViT checkpoint with its processor."""
    return _checkpoint("vit", tmp_path_factory)


@pytest.fixture(scope="session")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny ResNet checkpoint, with BatchNorm, with its processor."""
    return _checkpoint("resnet", tmp_path_factory)


@pytest.fixture(scope="session")
def fitted(images: Path, convnext: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run; not to be changed."""
    from hf_vft.workflows.fit import fit
    from tests.runs import small_recipe

    recipe = small_recipe(images, convnext)
    return fit(recipe, tmp_path_factory.mktemp("runs") / "fitted").path


@pytest.fixture(scope="session")
def few_shot(images: Path, convnext: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the best of several heads, without fine-tuning; not to be changed."""
    from hf_vft.workflows.fit import fit
    from tests.runs import small_recipe

    recipe = small_recipe(images, convnext, stages=[], probe__head="auto", probe__views=2)
    return fit(recipe, tmp_path_factory.mktemp("runs") / "few").path


def _checkpoint(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.runs import save_checkpoint

    return save_checkpoint(name, tmp_path_factory.mktemp("checkpoints") / name)
