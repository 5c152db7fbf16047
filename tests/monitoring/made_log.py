"""A run without weights and a log of drawn rows: what the monitor's commands need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hf_vft.records import ProductionLog
from hf_vft.run import RunDirectory
from tests.monitoring.made import LABELS, drawn, reference


def run_without_weights(path: Path) -> Path:
    """A run with a reference; the monitor compares logs and needs no weights."""
    folder = RunDirectory(path)
    folder.model.mkdir(parents=True)
    (folder.model / "config.json").write_text("{}")
    reference(300).save(folder)
    return folder.path


def log_of(folder: Path, *, labelled: bool = False, wrong: float = 0.0, **change: Any) -> Path:
    """300 rows, with labels of which a share is not what the model learned."""
    rng = np.random.default_rng(5)
    rows, classes = drawn(300, rng, **change)
    log = ProductionLog(folder)
    with log.writer(slices=["part"]) as writer:
        writer.append(rows)
        if labelled:
            truth = np.where(rng.random(300) < wrong, (classes + 1) % 3, classes)
            writer.append_labels(
                {"request_id": row["request_id"], "label": LABELS[k]}
                for row, k in zip(rows, truth, strict=True)
            )
    return folder
