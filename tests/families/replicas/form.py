"""What a replica is: the files of a repository on the Hub, at a size for tests.

A replica has the ``config.json`` and ``preprocessor_config.json`` of its original in their form
(old keys, missing fields, names of classes that are gone, labels of another task), with numbers
of layers, channels and pixels reduced, and weights of random numbers under the names that the
original's weights have.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import timm
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import CONFIG_MAPPING

CLASSIFICATION, DETECTION = "image-classification", "object-detection"
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
HALVES = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
SIZES: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
RESNET_BACKBONE: dict[str, Any] = {
    "depths": [1, 1, 1, 1],
    "embedding_size": 8,
    "hidden_act": "relu",
    "hidden_sizes": [8, 8, 16, 16],
    "layer_type": "basic",
    "model_type": "resnet",
    "num_channels": 3,
}
RESCALED = {"do_rescale": True, "rescale_factor": 0.00392156862745098}

Weights = Literal["safetensors", "both", "pickle", "proposed", "sharded"]
"""How weights lie in a repository.

- ``both``: ``model.safetensors``, and ``pytorch_model.bin`` from before.
- ``pickle``: ``pytorch_model.bin`` alone.
- ``proposed``: ``pytorch_model.bin``, and safetensors in a pull request that is open.
- ``sharded``: safetensors in several files with an index.

Which of them a repository has today could not be looked up: they are dealt out so that all occur.
"""


@dataclass(frozen=True)
class Replica:
    """A repository.

    Attributes:
        repo_id: Of the original.
        config: Its ``config.json``.
        processor: Its ``preprocessor_config.json``; None where there is none.
        source: Where the form of the two comes from.
        side: Of the square input in pixels that the chain gives it.
        task: What it is fine-tuned for.
        weights: How its weights lie there.
    """

    repo_id: str
    config: dict[str, Any]
    processor: dict[str, Any] | None
    source: str
    side: int = 32
    task: str = CLASSIFICATION
    weights: Weights = "both"

    def files(self) -> tuple[dict[str, bytes], dict[str, bytes]]:
        """Name and content of each file, and of those that a pull request would add."""
        with torch.random.fork_rng(devices=[]), tempfile.TemporaryDirectory() as name:
            torch.manual_seed(0)
            folder = Path(name)
            self._save_weights(folder)
            whole = folder / "model.safetensors"
            if self.weights in ("both", "pickle", "proposed"):
                torch.save(load_file(whole), folder / "pytorch_model.bin")
            proposed = {whole.name: whole.read_bytes()} if self.weights == "proposed" else {}
            if self.weights in ("pickle", "proposed"):
                whole.unlink()
            found = {path.name: path.read_bytes() for path in folder.iterdir()}
        documents = {"config.json": self.config, "preprocessor_config.json": self.processor}
        for document, content in documents.items():
            if content is not None:
                found[document] = json.dumps(content, indent=2).encode()
        found["README.md"] = b"---\nlicense: apache-2.0\ntags:\n- vision\n---\n"
        return found, proposed

    def write(self, folder: Path) -> Path:
        """The same as a folder, as somebody has it who has cloned the repository."""
        folder.mkdir(parents=True)
        for name, content in self.files()[0].items():
            (folder / name).write_bytes(content)
        return folder

    def _save_weights(self, folder: Path) -> None:
        if "model_type" not in self.config:
            arguments = self.config.get("model_args", {})
            model = timm.create_model(
                self.config["architecture"], num_classes=self.config["num_classes"], **arguments
            )
            settle(model, self.side)
            # Each name has its own tensor, as in the originals, also where modules are shared.
            weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
            save_file(weights, folder / "model.safetensors", {"format": "pt"})
            return
        if self.config["model_type"] not in CONFIG_MAPPING:
            # A family that transformers 5 has left behind: nobody can say what its weights are.
            save_file({"weight": torch.zeros(1)}, folder / "model.safetensors", {"format": "pt"})
            return
        config = CONFIG_MAPPING[self.config["model_type"]].from_dict(dict(self.config))
        kind: Any = getattr(transformers, self.config["architectures"][0])
        model = kind(config)
        settle(model, self.side)
        limit = "20KB" if self.weights == "sharded" else "1GB"
        model.save_pretrained(folder, max_shard_size=limit)
        for document in ("config.json", "generation_config.json"):
            (folder / document).unlink(missing_ok=True)


def settle(model: nn.Module, side: int) -> None:
    """Make a network of random weights answer as one that was trained does: with all its parts.

    Norms get the statistics of noise, without which values fade to nothing, and a scale where they
    begin with none, which shuts the branch that they end.
    """
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    with torch.no_grad():
        for module in model.modules():
            scale = getattr(module, "weight", None)
            if "Norm" in type(module).__name__ and scale is not None and not scale.any():
                scale.fill_(0.5)
        for name, parameter in model.named_parameters():
            if name.endswith("skipinit_gain"):
                parameter.fill_(0.5)
        if not norms:
            return
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.momentum = None  # the average of all batches
        model.train()(torch.randn(8, 3, side, side))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.eval()


def labels(count: int = 1000) -> dict[str, Any]:
    """``id2label`` and ``label2id`` as ``config.json`` has them."""
    names = [f"class {number}" for number in range(count)]
    return {
        "id2label": {str(number): name for number, name in enumerate(names)},
        "label2id": {name: number for number, name in enumerate(names)},
    }


def square(side: int) -> dict[str, int]:
    """A size as of transformers 4.25."""
    return {"height": side, "width": side}


def detector(
    repo_id: str, config: dict[str, Any], processor: dict[str, Any], source: str, **more: Any
) -> Replica:
    """A replica that detects, on images of 64 pixels unless another side is said."""
    return Replica(repo_id, config, processor, source, task=DETECTION, **{"side": 64, **more})
