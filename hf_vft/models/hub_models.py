"""Which models can be had from the Hub and from its local cache."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from huggingface_hub import CacheNotFound, HfApi, scan_cache_dir, try_to_load_from_cache
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError
from huggingface_hub.errors import HTTPError as ClientError  # type: ignore[attr-defined]
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES

from hf_vft.errors import HubError, ModelError

TIMEOUT = 5.0
"""Seconds after which the Hub counts as out of reach."""

WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
PROCESSORS = ("preprocessor_config.json", "processor_config.json")
PICKLES = (".bin", ".pt", ".pth", ".h5", ".msgpack", ".ckpt")


def cached_folder(repo_id: str) -> Path | None:
    """The folder of the local cache that holds a model whole, if there is one.

    Whole are a configuration, all weights and a processor; of an interrupted download, or one
    of single files, there may be less.
    """
    config = try_to_load_from_cache(repo_id, "config.json")
    folder = Path(config).parent if isinstance(config, str) else None
    return folder if folder and _has_weights(folder) and _has_processor(folder) else None


def _has_weights(folder: Path) -> bool:
    whole, index = (folder / name for name in WEIGHTS)
    shards = set(_json(index).get("weight_map", {}).values())
    return whole.is_file() or (bool(shards) and all((folder / name).is_file() for name in shards))


def _has_processor(folder: Path) -> bool:
    """A timm model has its processing in its configuration."""
    there = any((folder / name).is_file() for name in PROCESSORS)
    return there or "pretrained_cfg" in _json(folder / "config.json")


def _json(file: Path) -> dict[str, Any]:
    """What a file says, nothing where it is missing or broken."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
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
        raise ModelError(
            f"{repo_id}: the Hub wants you to accept this model's terms on its page, and to log "
            "in with `hf auth login`."
        ) from None
    except RepositoryNotFoundError:
        raise ModelError(
            f"{repo_id}: neither a local folder nor a model on the Hub. If it is private, log in "
            "with `hf auth login`."
        ) from None
    except (ClientError, OSError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise HubError(f"the Hub cannot be reached ({reason[:80]})") from None
    check_files(repo_id, [file.rfilename for file in info.siblings or []])


def check_files(name: str, files: Iterable[str]) -> None:
    """Whether a model's files are what is needed, and safe to read.

    Raises:
        ModelError: If there is no configuration, no weights, or only pickled ones.
    """
    files = list(files)
    if "config.json" not in files:
        adapter = " It holds a peft adapter: name its base model." * (
            "adapter_config.json" in files
        )
        raise ModelError(f"{name}: no config.json, so this is not a transformers model.{adapter}")
    if any(file in WEIGHTS for file in files):
        return
    if any(file.endswith(PICKLES) for file in files):
        raise ModelError(
            f"{name}: only pickled weights, which can run code when read; save them again with "
            "`save_pretrained` as model.safetensors."
        )
    raise ModelError(f"{name}: a config.json but no weights (model.safetensors).")


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
