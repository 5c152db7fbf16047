"""Which models can be had from the Hub and from its local cache, and reading their files.

Weights are read from ``model.safetensors``. Many older repositories have only a pickle,
``pytorch_model.bin``; ``torch.load(weights_only=True)`` reads it, which runs no code of the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import transformers
from huggingface_hub import (
    CacheNotFound,
    HfApi,
    scan_cache_dir,
    snapshot_download,
    try_to_load_from_cache,
)
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError
from huggingface_hub.errors import HTTPError as ClientError  # type: ignore[attr-defined]
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES

from hf_vft.errors import HubError, ModelError

TIMEOUT = 5.0
"""Seconds after which the Hub counts as out of reach."""

FORMATS = ("model.safetensors", "pytorch_model.bin")
"""Files of weights that are read, the first choice first."""

INDEX = ".index.json"
"""What the name of a file of weights is followed by where they are in several files."""

SHARD = "-?????-of-?????"
"""What stands before the ending of such a file."""

PROCESSORS = ("preprocessor_config.json", "processor_config.json")

FOREIGN = {
    ".h5": "TensorFlow",
    ".msgpack": "Flax",
    ".pt": "another program",
    ".pth": "another program",
    ".ckpt": "another program",
    ".onnx": "ONNX Runtime",
    ".gguf": "llama.cpp",
}
"""Endings of weights that are not read, and what they are for."""


def cached_folder(repo_id: str) -> Path | None:
    """The folder of the local cache that holds a model whole, if there is one.

    Whole are a configuration, all weights and a processor; of an interrupted download, or one
    of single files, there may be less.
    """
    config = try_to_load_from_cache(repo_id, "config.json")
    folder = Path(config).parent if isinstance(config, str) else None
    return folder if folder and _has_weights(folder) and _has_processor(folder) else None


def _has_weights(folder: Path) -> bool:
    return any(_is_whole(folder / name) for name in FORMATS)


def _is_whole(weights: Path) -> bool:
    """Whether a file of weights is there, or all files that its index names."""
    shards = set(_json(weights.with_name(weights.name + INDEX)).get("weight_map", {}).values())
    return weights.is_file() or (
        bool(shards) and all((weights.parent / name).is_file() for name in shards)
    )


def _has_processor(folder: Path) -> bool:
    """A timm model has its processing in its configuration."""
    has_file = any((folder / name).is_file() for name in PROCESSORS)
    return has_file or "pretrained_cfg" in _json(folder / "config.json")


def _json(file: Path) -> dict[str, Any]:
    """What a file says, nothing where it is missing or broken."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def check_hub(repo_id: str) -> None:
    """Ask the Hub whether a model can be had; the endpoint is that of ``HF_ENDPOINT``.

    Raises:
        ModelError: If the Hub answers that it cannot.
        HubError: If the Hub does not answer within ``TIMEOUT`` seconds.
    """
    try:
        info = HfApi().model_info(repo_id, timeout=TIMEOUT)
    except GatedRepoError:
        raise _terms(repo_id) from None
    except RepositoryNotFoundError:
        raise ModelError(
            f"{repo_id}: neither a local folder nor a model on the Hub. If it is private, log in "
            "with `hf auth login`."
        ) from None
    except (ClientError, OSError) as error:
        raise HubError(f"the Hub cannot be reached ({_reason(error)})") from None
    check_files(repo_id, [file.rfilename for file in info.siblings or []])


def _terms(repo_id: str) -> ModelError:
    return ModelError(
        f"{repo_id}: the Hub wants you to accept this model's terms on its page, and to log in "
        "with `hf auth login`."
    )


def _reason(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:80]


def check_files(name: str, files: Iterable[str]) -> None:
    """Check that a model has the files it needs, in a format that is read.

    Raises:
        ModelError: If there is no configuration, or there are no weights that can be read.
    """
    files = list(files)
    if "config.json" not in files:
        adapter = " It holds a peft adapter: name its base model." * (
            "adapter_config.json" in files
        )
        raise ModelError(f"{name}: no config.json, so this is not a transformers model.{adapter}")
    if weights_of_files(files):
        return
    wanted = "save the model with `save_pretrained`, or name one that has model.safetensors."
    for file in files:
        if reader := FOREIGN.get(Path(file).suffix):
            raise ModelError(f"{name}: its weights are for {reader} alone ({file}); {wanted}")
    raise ModelError(f"{name}: a config.json but no weights (model.safetensors).")


def weights_of_files(files: Iterable[str]) -> str | None:
    """The first of ``FORMATS`` that is among the files, whole or in several files."""
    files = set(files)
    return next((name for name in FORMATS if files & {name, name + INDEX}), None)


def download(repo_id: str) -> Path:
    """The folder of the local cache with what is needed of a model, fetched if need be.

    Left on the Hub are weights in other formats, tokenizers and whatever else lies there. That
    transformers then reads a folder also keeps it from asking the Hub for a conversion to
    safetensors, a pull request in the user's name, where there is only a pickle.

    Raises:
        ModelError: If the model's files will not do.
        HubError: If the Hub does not answer, or the transfer breaks.
    """
    try:
        info = HfApi().model_info(repo_id, timeout=TIMEOUT)
        files = [file.rfilename for file in info.siblings or []]
        check_files(repo_id, files)
        weights = Path(weights_of_files(files) or FORMATS[0])
        whole = weights.name in files
        shards = f"{weights.stem}{SHARD}{weights.suffix}"
        wanted = [weights.name] if whole else [weights.name + INDEX, shards]
        folder = snapshot_download(repo_id, allow_patterns=["config.json", *PROCESSORS, *wanted])
    except GatedRepoError:
        # The Hub describes such a model to everybody, and only keeps back its files.
        raise _terms(repo_id) from None
    except (ClientError, OSError) as error:
        raise HubError(f"{repo_id}: could not be fetched ({_reason(error)}).") from None
    return Path(folder)


def read_processor(folder: Path) -> Any:
    """The image processor of a checkpoint's folder.

    Checkpoints of transformers 4.25 and 4.26 name it as the feature extractor that it was before,
    in a field where transformers 5 no longer looks for one.

    Raises:
        OSError: If the folder holds none.
        ValueError: If transformers knows no processor of that name.
    """
    auto: Any = transformers.AutoImageProcessor
    kind = str(_json(folder / PROCESSORS[0]).get("image_processor_type", ""))
    today = kind.replace("FeatureExtractor", "ImageProcessor")
    reader = getattr(transformers, today, auto) if today != kind else auto
    return reader.from_pretrained(folder, trust_remote_code=False)


def refused_pickle(error: UnpicklingError | EOFError) -> str:
    """Why ``torch.load(weights_only=True)`` refused a pickle, as the end of a sentence."""
    if isinstance(error, EOFError):
        return f"{FORMATS[1]} ends too soon; fetch it again"
    wanted = re.search(r"GLOBAL (\S+)", str(error))
    what = f"calls {wanted[1]}, which could run code" if wanted else "holds more than weights"
    return f"{FORMATS[1]} {what}, so it was not read; name a model that has {FORMATS[0]}"


def cached_image_models() -> list[str]:
    """Hub ids of the image classifiers that the local cache holds whole."""
    try:
        repos = scan_cache_dir().repos
    except CacheNotFound:
        return []
    ids = sorted(repo.repo_id for repo in repos if repo.repo_type == "model")
    return [repo_id for repo_id in ids if _is_image_model(cached_folder(repo_id))]


def _is_image_model(folder: Path | None) -> bool:
    if folder is None:
        return False
    config = _json(folder / "config.json")
    kind = config.get("model_type")
    return kind in MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES or "pretrained_cfg" in config
