"""A reference and windows of production that were drawn, so that the truth is known.

Three classes lie in a space of 24 dimensions; the model is right about them but for their
overlap, so its probabilities are calibrated, and every rate can be set by hand.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import softmax

from hf_vft.answers.one_label import one_label_columns
from hf_vft.monitoring.drift import Window
from hf_vft.monitoring.log_sample import Sample
from hf_vft.monitoring.profile import Reference, make_reference

LABELS = ["ok", "scratch", "dent"]
PRIOR = np.array([0.6, 0.25, 0.15])
SIZE = 24
IDENTITY = {"model_hash": "m1", "preprocessing_hash": "p1", "task": "image-classification"}
START = datetime(2026, 4, 1, 6, tzinfo=UTC)

_CENTRES = np.random.default_rng(7).normal(size=(3, SIZE)) * 0.45


def drawn(
    n: int,
    rng: np.random.Generator,
    *,
    prior: np.ndarray = PRIOR,
    brightness: float = 0.0,
    shift: float = 0.0,
    strangers: float = 0.0,
    members: int = 1,
) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Rows of a log and the true class of each.

    Args:
        n: Rows.
        rng: Of everything.
        prior: Of the classes.
        brightness: Added, in standard deviations.
        shift: Moves all embeddings along one direction.
        strangers: Share of images of a class that no model knows.
        members: Rows of one part, which look much alike.
    """
    parts = -(-n // members)
    classes = rng.choice(3, size=parts, p=prior)
    values = _CENTRES[classes] + rng.normal(size=(parts, SIZE))
    light = rng.normal(size=parts)
    odd = rng.random(parts) < strangers
    values[odd] = 1.2 * np.ones(SIZE) + rng.normal(size=(int(odd.sum()), SIZE))
    part = np.repeat(np.arange(parts), members)[:n]
    spread = 0.1 if members > 1 else 0.0
    values = values[part] + spread * rng.normal(size=(n, SIZE))
    light = light[part] + spread * rng.normal(size=n)
    values[:, 0] += shift
    logits = values @ _CENTRES.T - 0.5 * (_CENTRES**2).sum(1) + np.log(PRIOR)
    rows = []
    for i, answer in enumerate(one_label_columns(softmax(logits, axis=1), logits, LABELS)):
        rows.append(
            {
                "request_id": f"r{i}",
                "ts_utc": START + timedelta(minutes=i),
                **IDENTITY,
                "file": f"{i}.jpg",
                "width": 96,
                "height": 96,
                "bytes": int(4000 + 300 * light[i] + 50 * rng.normal()),
                "format": "JPEG",
                "brightness": 0.5 + 0.1 * (light[i] + brightness),
                "contrast": rng.gamma(9.0) / 50,
                "sharpness": rng.gamma(9.0) / 20,
                "saturation": rng.beta(2, 5),
                "image_entropy": rng.normal(7, 0.3),
                "aspect": 1.0,
                "phash": f"{rng.integers(2**63):016x}",
                **answer,
                "part": f"part-{part[i]}",
                "embedding": values[i],
            }
        )
    return rows, classes[part]


def reference(
    n: int = 600, seed: int = 0, *, group: str | None = None, **changes: Any
) -> Reference:
    """Held-out rows."""
    rows, classes = drawn(n, np.random.default_rng([seed, 1]), **changes)
    beside = pd.DataFrame({"split": "test", "label": [LABELS[k] for k in classes]})
    return make_reference(
        rows, beside, labels=LABELS, temperature=1.0, group_column=group, slice_columns=[]
    )


def window(n: int = 500, seed: int = 0, **changes: Any) -> Window:
    """A window of production."""
    rows, _ = drawn(n, np.random.default_rng([seed, 2]), **changes)
    embeddings = np.stack([row.pop("embedding") for row in rows]).astype(np.float16)
    frame = pd.DataFrame(rows).assign(top_labels=None, rest=None)
    return Window(Sample(frame, embeddings))
