"""Images that were never logged, scored into a production log: what the monitor then reads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from hf_vft.data.label_types import KINDS
from hf_vft.data.sources.folder_tables import metadata_files
from hf_vft.data.sources.folders import is_image_name, visible_files
from hf_vft.data.sources.listing import Listing
from hf_vft.data.sources.read_source import describe_source, read_source
from hf_vft.data.sources.reading import Reading
from hf_vft.data.sources.saved_datasets import is_saved
from hf_vft.data.sources.table import Table, image_rows
from hf_vft.data.times import read_times
from hf_vft.data.verify import image_bytes
from hf_vft.errors import DataError, LogError
from hf_vft.inference.log_rows import ImageInfo, Recorder
from hf_vft.inference.predictor import Predictor
from hf_vft.outputs import check_replaceable, mark_replaceable
from hf_vft.recipe.schema import DataConfig
from hf_vft.records import PREDICTIONS, LogWriter, ProductionLog
from hf_vft.run import RunDirectory, write_folder
from hf_vft.utils.cache import default_cache
from hf_vft.utils.progress import Display, Silent
from hf_vft.utils.text import counted
from hf_vft.workflows.steps.log_labels import label_read
from hf_vft.workflows.steps.read_images import tell_reading

BATCH = 32
LABELS_FILE = "labels.csv"
TIMES = ("ts_utc", "timestamp", "datetime", "DateTimeOriginal", "time", "date")
"""Columns that may say when an image was taken, the best first."""


@dataclass(frozen=True)
class ScoredImages:
    """The images that were scored.

    Attributes:
        log: Where the rows are.
        images: How many rows.
        rejected: Names of images that could not be read, with the reason.
        labels: How many of the images came with a label, which is logged too.
    """

    log: ProductionLog
    images: int
    rejected: dict[str, str]
    labels: int


def observe(
    run_path: str | Path,
    source: str | Path,
    log_folder: str | Path,
    *,
    time_format: str | None = None,
    display: Display | None = None,
) -> ScoredImages:
    """Answer images with a run's model and log them as a server would have.

    Args:
        run_path: A run folder.
        source: A folder of images, with or without ``labels.csv`` or ``metadata.csv`` that names
            them in ``file_name``; or what `hf_vft.data.load.load_data` takes, a dataset on the Hub
            included. Columns beside become slices; the first of `TIMES` is the time, as
            `hf_vft.data.times.read_times` reads it, and images whose time cannot be read are left
            out. Without such a column it is that of the file.
        log_folder: Of the log, new or to be continued.
        time_format: How times are written; by default as the run's ``data.time_format`` says.
        display: Where progress is shown.

    Raises:
        VftError: If the run is not finished or there is no image.
    """
    display = display or Silent()
    predictor = Predictor(RunDirectory.open(run_path))
    recorder = Recorder(predictor)
    table = _images(source, predictor.recipe.data, predictor.task.kind)
    tell_reading(table.reading, table.notes, display)
    time_format = time_format or predictor.recipe.data.time_format
    slices, times = _columns(table, time_format, display)
    log = ProductionLog(log_folder)
    rejected: dict[str, str] = {}
    noted: dict[str, str] = {}
    done = labelled = 0
    total = len(table.files)
    display.start("scoring images", total)
    with log.writer(slices=list(slices)) as writer:
        for start in range(0, total, BATCH):
            rows = range(start, min(start + BATCH, total))
            dated = [row for row in rows if times is None or times[row] is not None]
            shown = list(_shown(table, dated, slices, times, predictor, rejected, noted))
            if shown:
                outputs = predictor.outputs_of([pixels for _, pixels, _ in shown])
                writer.append(recorder.rows([image for _, _, image in shown], outputs))
                labelled += _log_labels(writer, table, [(row, image) for row, _, image in shown])
            done += len(shown)
            display.advance(rows.stop, total=total)
    if not done:
        reason = f", {next(iter(rejected.values()))}" if rejected else ""
        raise DataError(f"{describe_source(source)}: no image could be scored{reason}.")
    if rejected:
        name, reason = next(iter(rejected.items()))
        display.warn(f"{len(rejected)} unusable images are left out, {name} ({reason}) the first.")
    if noted:
        name, note = next(iter(noted.items()))
        display.warn(f"Of {len(noted)} images values were cut off; {name}, the first: {note}.")
    return ScoredImages(log, done, rejected, labelled)


def log_of(
    run_path: str | Path,
    log_path: str | Path,
    scored: Path | None,
    display: Display,
    time_format: str | None = None,
) -> ProductionLog:
    """A production log as it is; images are scored into one first.

    Args:
        run_path: Whose model answers images.
        log_path: A log, or images as for `observe`.
        scored: Where the log of images is written, anew each time, so that none counts twice.
            A log that somebody keeps there is left alone.
        display: Where progress is shown.
        time_format: As for `observe`.

    Raises:
        VftError: As for `observe`; also for images where ``scored`` is None or holds something
            that this did not write.
    """
    if ProductionLog.is_log(log_path):
        return ProductionLog.open(log_path)
    if scored is None:
        raise LogError(f"{log_path}: no production log; say where its images may be logged.")
    check_replaceable(scored, command="monitor")

    def fill(folder: Path) -> None:
        observe(run_path, log_path, folder, time_format=time_format, display=display)
        mark_replaceable(folder, command="monitor")

    write_folder(scored, fill)
    return ProductionLog.open(scored)


def _images(source: str | Path, config: DataConfig, kind: str) -> Table:
    path = Path(source).expanduser()
    reading = DataConfig(
        max_pixels=config.max_pixels,
        bit_depth=config.bit_depth,
        box_format=config.box_format,
        classes=config.classes,
        good_class=config.good_class,
        # Of one label, a | or ; is part of the name.
        label_separator=config.label_separator or ("none" if KINDS[kind].exclusive else None),
    )
    how: dict[str, Any] = {"labelled": False} | ({} if kind == "class" else {"kind": kind})
    cache = default_cache() / "data"
    if path.is_dir() and (path / LABELS_FILE).is_file():
        return read_source(path / LABELS_FILE, reading, cache, **how)
    if not path.is_dir() or metadata_files(Listing.of(path)) or is_saved(path):
        return read_source(source, reading, cache, **how)
    files = [file for file in visible_files(path) if is_image_name(file)]
    if not files:
        raise DataError(f"{path}: there is no image in it, and it is not a production log.")
    names = [file.relative_to(path).as_posix() for file in files]
    read_as = Reading("images without labels", counts=(("", len(files)),))
    return Table(image_rows(files), names, [None] * len(files), reading=read_as)


def _columns(
    table: Table, time_format: str | None, display: Display
) -> tuple[dict[str, list[Any]], list[datetime | None] | None]:
    """The slice columns, and the time of each image where a column says it."""
    column = next((name for name in TIMES if name in table.extras), None)
    times: list[datetime | None] | None = None
    if column is None:
        display.warn(
            "No column says when the images were taken, so the time of each file is used; "
            f"give a labels.csv with file_name and one of {', '.join(TIMES)}."
        )
    else:
        times = _times(table, column, time_format, display)
    taken = {*PREDICTIONS, "model", "date", "embedding"}
    left_out = sorted((set(table.extras) & taken) - {column})
    if left_out:
        display.warn(f"Columns {', '.join(left_out)} are left out: the log has its own.")
    slices = {
        name: values
        for name, values in table.extras.items()
        if name != column and name not in taken
    }
    return slices, times


def _times(
    table: Table, column: str, time_format: str | None, display: Display
) -> list[datetime | None]:
    values = table.extras[column]
    read = read_times(values, column, time_format=time_format)
    if read.unread:
        row = read.unread[0]
        display.warn(
            f"{counted(len(read.unread), 'image')} of {len(values):,} left out: column {column!r} "
            f"holds no time that can be read ({values[row]!r} of {table.files[row]} the first); "
            f"the others were read as {read.read_as}."
        )
    return read.moments


def _shown(
    table: Table,
    rows: Sequence[int],
    slices: dict[str, list[Any]],
    times: list[datetime | None] | None,
    predictor: Predictor,
    rejected: dict[str, str],
    noted: dict[str, str],
) -> Iterator[tuple[int, torch.Tensor, ImageInfo]]:
    for row, image in zip(rows, table.images[list(rows)]["image"] if rows else [], strict=True):
        name = table.files[row]
        try:
            content = image_bytes(image)
            decoded = predictor.read(content)
        except DataError as error:
            rejected[name] = str(error)
            continue
        if decoded.note:
            noted[name] = decoded.note
        # The same image under the same name is the same request.
        identity = hashlib.sha256(name.encode("utf-8", "surrogateescape") + b"\0" + content)
        yield (
            row,
            predictor.transform(decoded.image),
            ImageInfo.of(
                decoded.image,
                content,
                file=name,
                slices={key: values[row] for key, values in slices.items()},
                request_id=identity.hexdigest()[:32],
                ts_utc=(times and times[row]) or _time_of_file(image["path"]),
            ),
        )


def _time_of_file(path: str | None) -> datetime:
    try:
        return datetime.fromtimestamp(Path(path or "").stat().st_mtime, UTC) if path else _now()
    except OSError:
        return _now()


def _now() -> datetime:
    return datetime.now(UTC)


def _log_labels(writer: LogWriter, table: Table, shown: list[tuple[int, ImageInfo]]) -> int:
    rows = [
        {
            "request_id": image.request_id,
            **label_read(table.labels[row], image.size),
            "source": "data",
        }
        for row, image in shown
        if table.labels[row] is not None
    ]
    writer.append_labels(rows)
    return len(rows)
