"""Unpacks zip files from strangers: nothing leaves the target folder or fills the disk."""

from __future__ import annotations

import hashlib
import shutil
import stat
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from hf_vft.data.sources.folders import is_image_name, is_visible
from hf_vft.errors import DataError

MAX_FILES = 2_000_000
MAX_BYTES = 500 << 30
MAX_RATIO = 200
"""Unpacked size over packed size of the whole archive; images hardly shrink, bombs do."""
_SMALL = 100 << 20  # a ratio alone is no danger below this unpacked size
_NESTED = frozenset({".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar"})
_CHUNK = 1 << 20
_UTF8_FLAG = 0x800
_VERSION = 2  # changes with what becomes of the names in an archive


def unpack(
    archive: Path, folder: Path, *, max_bytes: int = MAX_BYTES, max_files: int = MAX_FILES
) -> Path:
    """Unpack a zip file into a folder of its own, named after its content.

    The folder appears whole or not at all, and an archive that was unpacked before is not
    unpacked again.

    Args:
        archive: The zip file.
        folder: Where the new folder is made.
        max_bytes: Most that it may unpack to.
        max_files: Most files in it.

    Returns:
        The new folder.

    Raises:
        DataError: If it is no zip file, is damaged, encrypted or empty, holds links, archives or
            names that lead out of the folder, or is larger unpacked than the limits or the disk.
    """
    if not zipfile.is_zipfile(archive):
        raise DataError(f"{archive} is not a zip file, or is cut short.")
    with archive.open("rb") as file:
        target = folder / f"{hashlib.file_digest(file, 'sha256').hexdigest()[:32]}-{_VERSION}"
    if target.is_dir():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(archive) as opened:
            members = _members(archive, opened)
            _refuse_bomb(archive, members, folder, max_bytes, max_files)
            partial = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=folder))
            try:
                for name, member in members.items():
                    _extract(opened, member, partial / name)
                _publish(partial, target)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
        raise DataError(f"{archive} cannot be unpacked: {' '.join(str(error).split())}.") from None
    return target


def count_images(archive: Path) -> int:
    """Images in a zip file by their names, told from its directory alone.

    Raises:
        DataError: If it is no zip file, or holds what :func:`unpack` refuses.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            return sum(is_image_name(Path(name)) for name in _members(archive, opened))
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError):
        raise DataError(f"{archive} is not a zip file, or is cut short.") from None


def _members(archive: Path, opened: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Relative path to entry, of the files that a person would see.

    Raises:
        DataError: At the first entry that is refused.
    """
    members: dict[str, zipfile.ZipInfo] = {}
    for info in opened.infolist():
        name = _name(info).replace("\\", "/")  # some Windows programs write it so
        path = PurePosixPath(name)
        mode = info.external_attr >> 16
        if path.is_absolute() or ".." in path.parts or name[1:2] == ":" or "\0" in name:
            raise DataError(f"{archive}: {info.filename!r} leads out of the archive; refused.")
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise DataError(f"{archive}: {info.filename!r} is a link or device; refused.")
        if info.is_dir() or not path.parts or not all(map(is_visible, path.parts)):
            continue
        if info.flag_bits & 0x1:
            raise DataError(f"{archive} is protected by a password: unpack it first.")
        if path.suffix.casefold() in _NESTED:
            raise DataError(
                f"{archive}: {info.filename!r} is an archive in the archive, and not unpacked: "
                "unpack both, and give the folder."
            )
        if str(path) in members:
            raise DataError(f"{archive}: two files are called {info.filename!r}; refused.")
        members[str(path)] = info
    if not members:
        raise DataError(f"{archive} is empty.")
    return members


def _name(info: zipfile.ZipInfo) -> str:
    """The name of an entry; without the flag for UTF-8 it may be UTF-8 all the same.

    The Mac's Archive Utility writes it so. What is no UTF-8 is left in code page 437, which is
    what the format says.
    """
    if info.flag_bits & _UTF8_FLAG:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def _refuse_bomb(
    archive: Path,
    members: dict[str, zipfile.ZipInfo],
    folder: Path,
    max_bytes: int,
    max_files: int,
) -> None:
    size = sum(info.file_size for info in members.values())
    packed = max(1, min(archive.stat().st_size, sum(i.compress_size for i in members.values())))
    if len(members) > max_files:
        raise DataError(f"{archive} holds {len(members):,} files; the limit is {max_files:,}.")
    if size > max_bytes or (size > _SMALL and size / packed > MAX_RATIO):
        raise DataError(
            f"{archive} would unpack to {size / 1e9:.1f} GB, {size // packed} times its size; "
            "refused as a zip bomb."
        )
    if size > shutil.disk_usage(folder).free:
        raise DataError(f"{archive} needs {size / 1e9:.1f} GB to unpack; {folder} has less free.")


def _extract(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    """Write one file; no more than its entry announces, whatever the data says."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with opened.open(member) as source, target.open("xb") as sink:
        left = member.file_size
        while chunk := source.read(min(_CHUNK, left + 1)):
            left -= len(chunk)
            if left < 0:
                raise DataError(f"{member.filename!r} is larger than it announces; refused.")
            sink.write(chunk)


def _publish(partial: Path, target: Path) -> None:
    """Give the finished folder its name, unless another process was faster."""
    try:
        partial.replace(target)
    except OSError:
        if not target.is_dir():
            raise
