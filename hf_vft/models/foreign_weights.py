"""The one place where weights of strangers are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hf_vft.models.hub_models import FORMATS, weights_of_files


def read_weights(auto_class: Any, folder: str | Path, **options: object) -> Any:
    """A model with the weights of a checkpoint's folder; nothing in it is run.

    Safetensors where there are any. Else the pickle, by ``torch.load(weights_only=True)``, which
    is said here in full, so that no default of a later transformers opens what is closed.

    Args:
        auto_class: Such as ``AutoModel``.
        folder: From ``hf_vft.models.backbones.fetched``.
        **options: For ``from_pretrained``.

    Returns:
        What ``from_pretrained`` returns.
    """
    files = weights_of_files(file.name for file in Path(folder).iterdir())
    return auto_class.from_pretrained(
        folder,
        use_safetensors=files != FORMATS[1],
        weights_only=True,
        trust_remote_code=False,
        **options,
    )
