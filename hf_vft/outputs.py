"""What a command may write over: what hf-vft itself has written there, and nothing else.

A folder that is written into keeps a list of the names that are ours; a folder that is replaced as
a whole says so itself. What carries no such mark belongs to somebody, and is left alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_vft.errors import OutputError
from hf_vft.run import write_file, write_json

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

MARK = ".hf-vft.json"
_SOFTWARE = "hf-vft"


def claim(folder: Path, names: Iterable[str], *, command: str) -> None:
    """Make sure that writing some names in a folder replaces nothing of anybody else's.

    To be called before the work begins. The folder is made, and the names are remembered as ours.

    Args:
        folder: Of the output.
        names: Files and folders in it, or patterns such as ``checkpoint-*``.
        command: Who asks, for the message and the mark.

    Raises:
        OutputError: If one of them is there and is not ours, or the folder cannot be written.
    """
    wanted = set(names)
    present = {name: min(folder.glob(name), default=None) for name in wanted}
    ours = set(_mark(folder).get("names", []))  # read last: another process may just have claimed
    for name in sorted(wanted - ours):
        if present[name] is not None:
            raise OutputError(
                f"{present[name]}: already exists and was not written by `hf-vft {command}`; "
                "move it away or choose another --out."
            )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if wanted - ours:
            write_json(folder / MARK, {"command": command, "names": sorted(ours | wanted)})
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror}).") from None


def check_replaceable(folder: Path, *, command: str) -> None:
    """Make sure that a folder may be replaced as a whole.

    Raises:
        OutputError: If it holds something and does not carry the mark of `mark_replaceable`.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not folder.is_dir() or not _mark(folder).get("whole"):
        raise OutputError(
            f"{folder}: is not empty and was not made by `hf-vft {command}`; move it away or "
            "choose another --out."
        )


def mark_replaceable(folder: Path, *, command: str) -> None:
    """Say in a folder that it was made by a command, which may replace it as a whole."""
    write_json(folder / MARK, {"command": command, "whole": True})


def keep(folder: Path) -> None:
    """Take the mark of `mark_replaceable` away: from now on the content is somebody's."""
    if _mark(folder).get("whole"):
        (folder / MARK).unlink(missing_ok=True)


def save_image(image: PillowImage, path: Path, *, command: str) -> None:
    """Write a Pillow image; one that is there is replaced only if it was written by this.

    Args:
        image: RGB.
        path: Of the file; its ending says the format. A PNG says in it who wrote it.
        command: Who asks.

    Raises:
        OutputError: If another file is there, or it cannot be written.
    """
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    if path.exists() and not _is_our_image(path):
        raise OutputError(
            f"{path}: already exists and was not written by `hf-vft {command}`; choose another "
            "--out."
        )
    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind not in Image.SAVE:
        raise OutputError(f"{path}: the name has to end in .png, or as another image format does.")
    metadata = PngInfo()
    metadata.add_text("Software", _SOFTWARE)
    options = {"pnginfo": metadata} if kind == "PNG" else {}
    try:
        write_file(path, lambda temporary: image.save(temporary, format=kind, **options))
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error}).") from None


def _is_our_image(path: Path) -> bool:
    from PIL import Image

    try:
        with Image.open(path, formats=("PNG",)) as image:
            return image.info.get("Software") == _SOFTWARE
    except (OSError, ValueError, SyntaxError):
        return False


def _mark(folder: Path) -> dict[str, Any]:
    """A mark that cannot be read marks nothing."""
    try:
        mark = json.loads((folder / MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return mark if isinstance(mark, dict) else {}
