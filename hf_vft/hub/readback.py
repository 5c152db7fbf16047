"""Proves that what lies on the Hub is what was sent: plain transformers, in a fresh process.

``python -m hf_vft.hub.readback`` loads the model from the folder and from the Hub, shows both
the same images, and writes the largest difference of their logits.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from typing import Any

from huggingface_hub import HfApi

from hf_vft.errors import HubError
from hf_vft.run import RunDirectory

TIMEOUT = 1800.0
IMAGES = 4


def largest_difference(run: RunDirectory, repo_id: str, commit: str, api: HfApi) -> float:
    """Load a pushed model back and compare.

    Args:
        run: What was pushed.
        repo_id: Where to.
        commit: Which state is read.
        api: Its endpoint and token are used; nothing comes from this machine's cache.

    Returns:
        The largest absolute difference of a logit.

    Raises:
        HubError: If the model cannot be loaded there, or not in time.
    """
    with tempfile.TemporaryDirectory(prefix="hf-vft-readback-") as cache:
        asked = {
            "folder": str(run.model),
            "repo_id": repo_id,
            "revision": commit,
            "task": run.recipe().task,
            "cache": cache,
        }
        settings = {
            "HF_ENDPOINT": api.endpoint,
            "HF_TOKEN": str(api.token),
            "HF_HUB_OFFLINE": "0",
            "CUDA_VISIBLE_DEVICES": "",
        }
        try:
            done = subprocess.run(
                [sys.executable, "-m", "hf_vft.hub.readback"],
                input=json.dumps(asked),
                capture_output=True,
                text=True,
                timeout=TIMEOUT,
                check=False,
                env=os.environ | settings,
            )
        except subprocess.TimeoutExpired:
            raise HubError(
                f"{repo_id}: was pushed, but could not be read back within {TIMEOUT / 60:.0f} "
                "minutes; the same command reads it again."
            ) from None
    if done.returncode:
        reason = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "")
        text = reason.replace(str(api.token), "***")[:300]
        raise HubError(f"{repo_id}: what was pushed cannot be read back ({text}).")
    return float(json.loads(done.stdout.splitlines()[-1])["difference"])


def _compare(asked: dict[str, Any]) -> float:
    """In the fresh process."""
    import numpy as np
    import torch
    import transformers
    from PIL import Image

    from hf_vft.answers import answer_kind

    torch.set_num_threads(1)
    auto_class: Any = getattr(transformers, answer_kind(asked["task"]).card.auto_class)
    rng = np.random.default_rng(0)
    images = [
        Image.fromarray(rng.integers(0, 256, (200, 240, 3), dtype=np.uint8)) for _ in range(IMAGES)
    ]

    def logits(where: str, **options: object) -> torch.Tensor:
        processor: Any = transformers.AutoImageProcessor.from_pretrained(where, **options)  # type: ignore[no-untyped-call]
        model = auto_class.from_pretrained(where, use_safetensors=True, **options).eval()
        with torch.inference_mode():
            outputs = model(**processor(images, return_tensors="pt"))
        # A backbone that good parts are remembered by has no logits; its features stand first.
        answer: torch.Tensor = outputs.logits if "logits" in outputs else outputs[0]
        return answer

    here = logits(asked["folder"])
    on_hub = logits(asked["repo_id"], revision=asked["revision"], cache_dir=asked["cache"])
    return float((here - on_hub).abs().max()) if here.shape == on_hub.shape else float("inf")


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"difference": _compare(json.load(sys.stdin))}) + "\n")
