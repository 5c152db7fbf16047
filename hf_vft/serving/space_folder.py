"""A Space on the Hub: a folder of a few lines that shows a run."""

from __future__ import annotations

import shutil
from importlib.metadata import version
from pathlib import Path

from hf_vft._version import __version__
from hf_vft.answers import answer_kind
from hf_vft.evaluation.results import EvalReport
from hf_vft.outputs import check_replaceable, mark_replaceable
from hf_vft.run import RunDirectory, write_folder, write_text
from hf_vft.utils.imports import is_available, require_package
from hf_vft.utils.public_files import public_files
from hf_vft.utils.resources import bundled

_PARTS = ("model", "reference", "export")
_FILES = ("recipe.yaml", "metrics.json", "choices.json", "run.json", "alarms.json")


def _extras(run: RunDirectory) -> list[str]:
    """The Space opens what this machine opens."""
    readers = {"dicom": "pydicom", "heic": "pillow_heif"}
    formats = [extra for extra, package in readers.items() if is_available(package)]
    return ["serve", *(["onnx"] if run.onnx_file.is_file() else []), *formats]


def write_space(run: RunDirectory, out: Path, *, title: str | None = None) -> Path:
    """Write a folder that is a complete Space: app, pinned requirements, front matter, the run.

    Args:
        run: Finished.
        out: Made, or replaced if it is an earlier Space of ours.
        title: Of the page; the run's name by default.

    Raises:
        OutputError: If ``out`` holds something else.
        MissingDependencyError: If Gradio, whose version is pinned, is not installed.
    """
    check_replaceable(out, command="space")
    name = title or run.path.resolve().name
    task = run.read_as(EvalReport, run.metrics_file).task
    require_package("gradio", "serve")

    def fill(folder: Path) -> None:
        shutil.copytree(
            bundled("spaces") / answer_kind(task).space,
            folder,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("__pycache__", "run"),
        )
        readme = (folder / "README.md").read_text(encoding="utf-8")
        gradio = version("gradio")
        readme = readme.replace("TITLE", name.replace('"', "'")).replace("GRADIO_VERSION", gradio)
        write_text(folder / "README.md", readme)
        pinned = (folder / "requirements.txt").read_text(encoding="utf-8")
        extras = ",".join(_extras(run))
        pinned = pinned.replace("[serve]", f"[{extras}]").replace("HF_VFT_VERSION", __version__)
        write_text(folder / "requirements.txt", pinned)
        inside = folder / "run"
        inside.mkdir(exist_ok=True)
        for part in _PARTS:
            if (run.path / part).is_dir():
                shutil.copytree(run.path / part, inside / part)
        for file in _FILES:
            if (run.path / file).is_file():
                shutil.copy2(run.path / file, inside / file)
        # The folder is to be given away, by whatever means.
        for path, content in public_files(_contents(inside)).items():
            if isinstance(content, bytes):
                (inside / path).write_bytes(content)
        mark_replaceable(folder, command="space")

    write_folder(out, fill)
    return out


def _contents(folder: Path) -> dict[str, Path | bytes]:
    """The files below a folder by their paths in it."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in paths}
