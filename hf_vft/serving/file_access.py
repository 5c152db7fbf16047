"""The folder that callers' files lie in: nothing else on this machine is opened for a caller.

Gradio checks the path of a file argument only where the argument has the form of its own client,
and fetches an address that stands in its place. Here every file argument of every endpoint comes
down to :meth:`UploadFolder.admitted`, which refuses all that is not a file of this folder, always
in the same words: they do not tell whether a path exists.
"""

from __future__ import annotations

import atexit
import base64
import binascii
import os
import shutil
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit

from filelock import FileLock, Timeout

from hf_vft.errors import DataError

REFUSED = "give an image that was uploaded to this server; it opens no path and no address."
"""What is said of everything else."""

TOO_LARGE = "the file is too large."
FOLDER_VARIABLE = "GRADIO_TEMP_DIR"
"""Environment variable: where Gradio keeps uploads; the folder of this server is made in it."""

DATA = "data:"
"""How an address begins that is the content itself."""

_PREFIX = "hf-vft-uploads-"
_LOCK = ".in-use"
_OWN_FILE = "/gradio_api/file="


def as_file(path: str | Path) -> dict[str, Any]:
    """A file argument in the form in which Gradio's own client sends it."""
    return {"path": str(path), "meta": {"_type": "gradio.FileData"}}


class UploadFolder:
    """A folder of this process, gone when it ends; after a kill, when the next one starts.

    Args:
        parent: Where it is made.
    """

    def __init__(self, parent: Path) -> None:
        parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(parent)
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent)).resolve()
        self._lock = FileLock(self.path / _LOCK)
        self._lock.acquire()
        self._owner = os.getpid()

    def admitted(self, value: object) -> Path:
        """A file that a caller names, if it was uploaded here.

        Args:
            value: A path, or the address of a file of this server, which is not fetched.

        Raises:
            DataError: In the same words for all else, whether it is there or not.
        """
        if not isinstance(value, str | Path) or "\0" in str(value):
            raise DataError(REFUSED)
        text = str(value)
        if text.startswith(("http://", "https://")):
            text = unquote(urlsplit(text).path).rpartition(_OWN_FILE)[2]
        # By name first: what lies elsewhere is not even looked at.
        path = Path(os.path.abspath(text))  # noqa: PTH100  # a link is followed below, not here
        if not path.is_relative_to(self.path) or path.name == _LOCK:
            raise DataError(REFUSED)
        try:
            file = path.resolve(strict=True)
        except (OSError, RuntimeError):
            raise DataError(REFUSED) from None
        if not file.is_relative_to(self.path) or not file.is_file():
            raise DataError(REFUSED)
        return file

    def keep_data(self, text: str, *, max_bytes: int) -> Path:
        """Keep the content of a ``data:`` address as an uploaded file.

        Raises:
            DataError: If it is no such address, or too large.
        """
        head, comma, body = text.partition(",")
        if not (head.startswith(DATA) and head.endswith(";base64") and comma):
            raise DataError(REFUSED)
        if len(body) * 3 // 4 > max_bytes:
            raise DataError(TOO_LARGE)
        try:
            content = base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            raise DataError(REFUSED) from None
        path = Path(tempfile.mkdtemp(dir=self.path)) / "image"
        path.write_bytes(content)
        return path

    def used_bytes(self) -> int:
        """Bytes of all files in the folder."""
        sizes = 0
        for folder, _, names in os.walk(self.path):
            for name in names:
                try:
                    sizes += os.lstat(os.path.join(folder, name)).st_size  # noqa: PTH118
                except OSError:  # gone by now
                    continue
        return sizes

    def remove_broken_off(self, older_than: float, now: float) -> None:
        """Delete uploads that ended before they were whole.

        Args:
            older_than: Seconds since something was written to them.
            now: Seconds since the epoch.
        """
        for path in self.path.glob("tmp*"):  # whole ones are moved into folders of their own
            try:
                if path.is_file() and now - path.stat().st_mtime > older_than:
                    path.unlink()
            except OSError:
                continue

    def remove(self) -> None:
        """Delete it, with all that is in it; a fork of the process that made it does nothing."""
        if os.getpid() == self._owner:
            shutil.rmtree(self.path, ignore_errors=True)
            self._lock.release()
            shutil.rmtree(self.path, ignore_errors=True)

    def leave(self) -> NoReturn:
        """End this process at once, and delete the folder.

        What deletes it takes the place of this process: here each file would wait its turn
        behind the threads that are still at work.
        """
        remover = shutil.which("rm")
        if os.getpid() == self._owner and remover:
            with suppress(OSError):
                os.execv(remover, [remover, "-rf", "--", str(self.path)])  # noqa: S606  # no shell
        self.remove()
        os._exit(0)


@cache
def upload_folder() -> UploadFolder:
    """The folder of this process; from now on Gradio keeps uploads there.

    Gradio reads the environment at many moments, so a process has one, whatever it serves.
    """
    folder = UploadFolder(Path(os.environ.get(FOLDER_VARIABLE) or tempfile.gettempdir()))
    os.environ[FOLDER_VARIABLE] = str(folder.path)
    atexit.register(folder.remove)
    return folder


def _remove_abandoned(parent: Path) -> None:
    """Delete the folders of servers that were killed: their locks are free."""
    for folder in parent.glob(f"{_PREFIX}*"):
        lock = FileLock(folder / _LOCK, blocking=False)
        try:
            if folder.is_symlink() or not (folder / _LOCK).is_file():
                continue  # another server is making it, or it is none of ours
            with lock:
                shutil.rmtree(folder, ignore_errors=True)
        except (Timeout, OSError):
            continue
