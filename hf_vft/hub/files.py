"""Which files of a run go to the Hub, and in what form."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from hf_vft.errors import HubError
from hf_vft.evaluation.leaderboard import Leaderboard
from hf_vft.reporting.run_files import read_summary
from hf_vft.run import RunDirectory

MAX_BYTES = 50 << 30
"""More than this in one push is a mistake rather than a model."""

UNSAFE = frozenset({
    ".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".h5", ".joblib", ".msgpack", ".npy",
    ".npz", ".keras", ".exe", ".so", ".dll", ".py",
})  # fmt: skip
"""Formats that can run code when read. Models travel as safetensors or ONNX."""

IMAGES = frozenset({
    ".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif",
})  # fmt: skip

RECORDS = (
    "choices.json", "metrics.json", "history.json", "leaderboard.json", "robustness.json",
    "alarms.json",
)  # fmt: skip
FOLDERS = ("adapter", "reference", "export", "logs")


def run_files(run: RunDirectory, *, with_images: bool = False) -> dict[str, Path | bytes]:
    """Path in the repository to file or content, the card left out.

    The files of ``model/`` lie at the top, where ``from_pretrained`` looks for them. Where the
    images lay on this machine stays here: of ``data.path`` and the like only the last part is
    told, and `hf_vft.utils.public_files` goes over the rest. Pages and folders with images of the
    data are left out unless asked for.

    Args:
        run: Finished.
        with_images: Also ``report.html``, which shows the worst mistakes, the audit with its
            file names, and images in ``reference/``.

    Raises:
        HubError: If a file could run code when it is read, leads out of the run folder, or all
            together are too large.
    """
    files: dict[str, Path | bytes] = {}
    for path in _inside(run, run.model):
        name = path.relative_to(run.model).as_posix()
        if name != "README.md":
            files[name] = path
    if "model.safetensors" not in files and "model.safetensors.index.json" not in files:
        raise HubError(f"{run.model}: there are no weights as safetensors in it.")
    for folder in FOLDERS:
        for path in _inside(run, run.path / folder):
            if with_images or path.suffix.lower() not in IMAGES:
                files[path.relative_to(run.path).as_posix()] = path
    if "adapter/adapter_config.json" in files:
        files["adapter/adapter_config.json"] = _public_adapter(run)
    records = [*RECORDS, *(("report.html", "audit.json") if with_images else ())]
    files |= {name: run.path / name for name in records if (run.path / name).is_file()}
    if "leaderboard.json" in files:
        files["leaderboard.json"] = _public_leaderboard(run)
    files["recipe.yaml"] = _public_recipe(run)
    files["run.json"] = _public_summary(run)
    _check_size(files)
    return files


def _inside(run: RunDirectory, folder: Path) -> Iterator[Path]:
    """The files below a folder of the run, each checked."""
    root = run.path.resolve()
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        if not path.resolve().is_relative_to(root):
            raise HubError(f"{path} is a link that leads out of the run folder; remove it.")
        if path.is_file():
            if path.suffix.lower() in UNSAFE:
                raise HubError(
                    f"{path} can run code when it is read, so it is not pushed: move it out of the "
                    "run, or save it as safetensors."
                )
            yield path


def _check_size(files: Mapping[str, Path | bytes]) -> None:
    size = sum(len(f) if isinstance(f, bytes) else f.stat().st_size for f in files.values())
    if size > MAX_BYTES:
        raise HubError(
            f"the run holds {size / 1e9:.1f} GB to push; the limit is {MAX_BYTES / 1e9:.0f} GB."
        )


def _public_recipe(run: RunDirectory) -> bytes:
    tree = run.recipe().model_dump(mode="json")
    tree["data"]["path"] = public_name(tree["data"]["path"])
    tree["search"]["storage"] = None  # where trials are kept is nobody else's business
    candidates = tree["model"]["candidates"]
    if isinstance(candidates, list):
        tree["model"]["candidates"] = [public_name(name) for name in candidates]
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True).encode()


def _public_leaderboard(run: RunDirectory) -> bytes:
    board = run.read_as(Leaderboard, run.leaderboard_file).model_dump(mode="json")
    board["asked"].pop("storage", None)
    return (json.dumps(board, indent=2, ensure_ascii=False) + "\n").encode()


def _public_adapter(run: RunDirectory) -> bytes:
    config = run.read_as(dict[str, Any], run.adapter / "adapter_config.json")
    config["base_model_name_or_path"] = public_name(config.get("base_model_name_or_path"))
    return (json.dumps(config, indent=2, sort_keys=True) + "\n").encode()


def _public_summary(run: RunDirectory) -> bytes:
    summary = read_summary(run)
    for key in ("source", "checkpoint"):
        summary[key] = public_name(summary.get(key))
    rejected = summary.get("rejected") or []
    summary["rejected"] = rejected if isinstance(rejected, int) else len(rejected)
    return (json.dumps(summary, indent=2, ensure_ascii=False) + "\n").encode()


def public_name(name: object) -> Any:
    """The last part of a path on this machine; a Hub id, or anything else, as it is."""
    if isinstance(name, str) and Path(name).expanduser().exists():
        return Path(name).resolve().name
    return Path(name).name if isinstance(name, str) and Path(name).is_absolute() else name
