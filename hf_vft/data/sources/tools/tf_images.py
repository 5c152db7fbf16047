"""Keeps images that come out of record files where a table can name them: in one Arrow file."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import datasets
import pyarrow as pa
from huggingface_hub.constants import HF_HOME

from hf_vft.errors import DataError

_FEATURES = datasets.Features({"image": datasets.Image(decode=False)})
_MOST_BYTES, _MOST_ROWS = 32 << 20, 500
_VERSION = 1  # changes with what is kept


def keep_images(
    sources: list[Path], images: Iterable[tuple[str, bytes]], cache_dir: Path | None
) -> datasets.Dataset:
    """Write images into a file below the cache, once for the same record files, and open it.

    The file appears whole or not at all. It is mapped, so the images are not held in memory.

    Args:
        sources: The record files; their places, sizes and times of change name the Arrow file.
        images: The name and the bytes of each; used up in any case.
        cache_dir: Where caches are; default: beside the other files of Hugging Face libraries.

    Returns:
        One column, ``image``, not decoded; in the order of ``images``.

    Raises:
        DataError: If it cannot be written.
    """
    known = [(str(file.absolute()), file.stat().st_size, file.stat().st_mtime_ns)
             for file in sources]  # fmt: skip
    digest = hashlib.sha256(json.dumps([_VERSION, known]).encode()).hexdigest()[:32]
    folder = (cache_dir or Path(HF_HOME) / "hf-vft") / "records"
    target = folder / f"{digest}.arrow"
    if target.is_file():
        for _ in images:
            pass
    else:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _write(images, target)
        except OSError as error:
            raise DataError(f"The images cannot be kept in {folder}: {error}.") from None
    return datasets.Dataset.from_file(str(target))


def _write(images: Iterable[tuple[str, bytes]], target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=".reading-", dir=target.parent) as folder:
        partial = Path(folder, target.name)
        with (
            pa.OSFile(str(partial), "wb") as sink,
            pa.ipc.new_stream(sink, _FEATURES.arrow_schema) as writer,
        ):
            for rows in _batches(images):
                writer.write_batch(
                    pa.RecordBatch.from_pydict({"image": rows}, _FEATURES.arrow_schema)
                )
        partial.replace(target)


def _batches(images: Iterable[tuple[str, bytes]]) -> Iterator[list[dict[str, object]]]:
    rows: list[dict[str, object]] = []
    size = 0
    for name, data in images:
        rows.append({"bytes": data, "path": name})
        size += len(data)
        if size >= _MOST_BYTES or len(rows) >= _MOST_ROWS:
            yield rows
            rows, size = [], 0
    if rows:
        yield rows
