"""Images of a production log for a labelling tool."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from hf_vft.answers import answer_kind
from hf_vft.data.sources.textfiles import read_columns
from hf_vft.errors import LogError, OutputError
from hf_vft.records import ProductionLog
from hf_vft.run import RunDirectory, write_text
from hf_vft.workflows.steps.labelling_tools import (
    FORMATS,
    LOCAL,
    cvat_xml,
    label_studio_config,
    label_studio_json,
)

_COLUMNS = ("request_id", "file", "width", "height", "task", "predicted", "confidence", "boxes")


def export_to_label(
    log_path: str | Path,
    file: str | Path,
    out: str | Path,
    *,
    kind: str,
    prefix: str = LOCAL,
    run: str | Path | None = None,
) -> list[Path]:
    """Write the images of ``label-these.csv`` for Label Studio or CVAT, with the model's answers.

    Args:
        log_path: A production log.
        file: A CSV or JSON Lines file with a column ``request_id``, such as ``label-these.csv``.
        out: The file to write; it must not exist.
        kind: ``label-studio`` or ``cvat``.
        prefix: Before the name of each image in Label Studio; by default its own local files. An
            image that the log keeps has its path within the log as its name there, and in CVAT
            the name of the kept file; another image has the name that the log has of it.
        run: Whose classes the labelling interface offers; by default the answers of the log.

    Returns:
        What was written: for Label Studio the tasks, and the interface beside them.

    Raises:
        LogError: If the column is missing, or a request or name is not of the log.
        OutputError: If ``out`` is there already.
    """
    log, path, target = ProductionLog.open(log_path), Path(file), Path(out)
    if kind not in FORMATS:
        raise LogError(f"--format {kind}: choose {' or '.join(FORMATS)}.")
    config = target.with_suffix(".config.xml")
    for name in (target, config) if kind == "label-studio" else (target,):
        if name.exists():
            raise OutputError(f"{name}: already exists; move it away or choose another --out.")
    wanted = read_columns(path).get("request_id")
    if wanted is None:
        raise LogError(f"{path}: there is no column 'request_id'.")
    answers = log.read(columns=[*_COLUMNS, "model_hash"]).drop_duplicates("request_id")
    rows = answers[answers["request_id"].isin(set(map(str, wanted)))]
    if len(rows) != len(set(wanted)):
        strange = len(set(wanted)) - len(rows)
        raise LogError(f"{path}: {strange} of {len(set(wanted))} requests are not in the log.")
    if rows.empty:
        raise LogError(f"{path}: there is no image to label.")
    rows = rows.assign(file=_names(log, rows, flat=kind == "cvat"))
    if kind == "cvat":
        write_text(target, cvat_xml(rows))
        return [target]
    if rows["file"].isna().any():
        raise LogError(f"{path}: an image has no file name in the log, so no tool can show it.")
    task = str(rows["task"].iloc[0])
    if run is not None:
        opened = RunDirectory.open(run)
        classes = list(opened.read_json(opened.profile_file)["labels"])
    else:
        predicted = answers["predicted"].dropna().unique()
        answers_of = answer_kind(task)
        classes = sorted({name for text in predicted for name in answers_of.names(text)})
    write_text(target, label_studio_json(rows, prefix=prefix))
    write_text(config, label_studio_config(classes, task))
    return [target, config]


def _names(log: ProductionLog, rows: pd.DataFrame, *, flat: bool) -> pd.Series[Any]:
    """What a tool finds each image by: where the log keeps it, else the name in the log.

    The name in the log is that of an upload, which no folder holds, and which others may share.

    Args:
        log: May have kept images.
        rows: ``request_id`` and ``file`` of the log.
        flat: Whether the tool knows images without their folders.
    """
    kept = map(log.image_file, rows["request_id"])
    names = [
        name if path is None else path.name if flat else path.relative_to(log.folder).as_posix()
        for path, name in zip(kept, rows["file"], strict=True)
    ]
    return pd.Series(names, index=rows.index, dtype=object)
