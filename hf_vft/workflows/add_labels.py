"""Labels from a file into a production log."""

from __future__ import annotations

from pathlib import Path

from hf_vft.data.sources.textfiles import read_columns
from hf_vft.errors import LogError
from hf_vft.records import ProductionLog
from hf_vft.utils.spreadsheets import from_cell
from hf_vft.utils.text import counted


def add_labels(log_path: str | Path, file: str | Path, *, source: str) -> int:
    """Write the labels of a CSV or JSON Lines file with ``request_id`` and ``label``.

    Args:
        log_path: A production log.
        file: Rows whose label is empty are left alone; ``source`` is a column, too.
        source: Who labelled, where the file does not say.

    Returns:
        How many labels were written: all of them, or on an error none.

    Raises:
        LogError: If a column is missing, or a request is none of the log's.
        DataError: If the file cannot be read.
    """
    log, path = ProductionLog.open(log_path), Path(file)
    columns = read_columns(path)
    for name in ("request_id", "label"):
        if name not in columns:
            raise LogError(f"{path}: there is no column {name!r}.")
    rows = [
        {"request_id": str(request), "label": from_cell(str(label).strip()), "source": by or source}
        for request, label, by in zip(
            columns["request_id"],
            columns["label"],
            columns.get("source", [None] * len(columns["label"])),
            strict=True,
        )
        if label is not None and str(label).strip()
    ]
    known = set(log.read(columns=["request_id"])["request_id"])
    strange = [row["request_id"] for row in rows if row["request_id"] not in known]
    if strange:
        raise LogError(
            f"{path}: {counted(len(strange), 'request')} unknown to the log, {strange[0]!r} the "
            "first; nothing was written."
        )
    log.append_labels(rows)
    return len(rows)
