"""Rows of a production log, as a model with three classes would write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

START = datetime(2026, 4, 1, 6, tzinfo=UTC)


def row(number: int, *, model: str = "m1", **changes: Any) -> dict[str, Any]:
    """Prediction ``number``; one a minute."""
    rng = np.random.default_rng(number)
    probabilities = rng.dirichlet([1.0, 1.0, 1.0])
    return {
        "request_id": f"r{number}",
        "ts_utc": START + timedelta(minutes=number),
        "model_hash": model,
        "preprocessing_hash": "p1",
        "task": "image-classification",
        "width": 40,
        "height": 30,
        "brightness": rng.random(),
        "predicted": "abc"[int(probabilities.argmax())],
        "confidence": probabilities.max(),
        "probabilities": probabilities,
        **changes,
    }
