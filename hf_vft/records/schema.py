"""What a row of the production log holds. The tables here are its documentation.

A change that readers notice raises `SCHEMA_VERSION`. Columns are only added, never renamed or
given another meaning; a reader refuses files of a newer version than its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from hf_vft.errors import LogError

SCHEMA_VERSION = 1

FULL_PROBABILITIES = 100
"""Up to so many classes every probability is kept, in the order of the model's classes."""

TOP_PROBABILITIES = 20
"""With more classes: so many of the highest, named, and the rest as one number."""

_TIME = pa.timestamp("us", tz="UTC")
_FLOATS = pa.list_(pa.float32())
_STRINGS = pa.list_(pa.string())
_BOXES = pa.list_(
    pa.struct(
        [
            *((name, pa.float32()) for name in ("x", "y", "width", "height", "score")),
            ("label", pa.string()),
        ]
    )
)

Columns = Mapping[str, tuple[pa.DataType, str]]

PREDICTIONS: Columns = {
    "request_id": (pa.string(), "unique; letters, digits, dot, dash and underscore"),
    "ts_utc": (_TIME, "when the image was answered"),
    "model_hash": (pa.string(), "of the weights; also the partition `model=`"),
    "preprocessing_hash": (pa.string(), "of the image processor's settings"),
    "schema_version": (pa.int16(), "of this table"),
    "task": (pa.string(), "as in the recipe"),
    "file": (pa.string(), "name of the image, where it has one"),
    "width": (pa.int32(), "of the image as it came, in pixels"),
    "height": (pa.int32(), "of the image as it came, in pixels"),
    "bytes": (pa.int64(), "size of the file; null for an image in memory"),
    "format": (pa.string(), "JPEG, PNG, ...; null for an image in memory"),
    "brightness": (pa.float32(), "mean perceived brightness, 0 to 1"),
    "contrast": (pa.float32(), "standard deviation of the grey levels, 0 to 1"),
    "sharpness": (pa.float32(), "spread of the edges in proportion to the contrast"),
    "saturation": (pa.float32(), "mean saturation (HSV), 0 to 1"),
    "image_entropy": (pa.float32(), "of the grey levels, in bits"),
    "aspect": (pa.float32(), "width by height"),
    "phash": (pa.string(), "64-bit perceptual hash, 16 hexadecimal digits"),
    "predicted": (pa.string(), "the most probable label; of several labels, see `join_names`"),
    "confidence": (pa.float32(), "calibrated probability of `predicted`"),
    "margin": (pa.float32(), "lead over the second most probable label"),
    "entropy": (pa.float32(), "of the calibrated probabilities, in nats"),
    "energy": (pa.float32(), "-logsumexp of the raw logits (Liu et al. 2020); low is familiar"),
    "probabilities": (
        _FLOATS,
        "calibrated: of every class, or of `top_labels`; multi-label scores",
    ),
    "top_labels": (_STRINGS, f"only with more than {FULL_PROBABILITIES} classes"),
    "rest": (pa.float32(), "probability of all classes that are not in `top_labels`"),
    "count": (pa.int32(), "labels (multi-label) or boxes (detection) that were answered"),
    "mean_score": (pa.float32(), "of the boxes"),
    "max_score": (pa.float32(), "of the boxes"),
    "area_quantiles": (_FLOATS, "0.1, 0.5, 0.9 of the boxes' areas as shares of the image"),
    "boxes": (_BOXES, "in pixels of the image: left, top, width, height"),
    "anomaly_score": (pa.float32(), "in shares of the threshold: above 1 is an anomaly"),
    "latency_ms": (pa.float32(), "from the request to the answer"),
    "alarms": (
        _STRINGS,
        "classes whose threshold by cost was reached; null where the run has none",
    ),
    "alarm_rules": (pa.string(), "these thresholds, and the costs that they were chosen for"),
}
"""One row an image. Slice columns that the user names follow, as strings."""

EMBEDDINGS: Columns = {
    "request_id": (pa.string(), "of the prediction"),
    "ts_utc": (_TIME, "of the prediction"),
    "model_hash": (pa.string(), "embeddings of different models cannot be compared"),
    "embedding": (pa.list_(pa.float16()), "what the head sees, after a fixed reduction"),
}
"""One row a sampled image."""

LABELS: Columns = {
    "request_id": (pa.string(), "of the prediction"),
    "ts_utc": (_TIME, "when the label was given; a later one replaces an earlier one"),
    "label": (pa.string(), "the truth; of several labels, see `join_names`"),
    "boxes": (_BOXES, "the truth for detection"),
    "source": (pa.string(), "who or what gave the label"),
}
"""One row a label; labels arrive later than predictions, or never."""

TABLES: Mapping[str, Columns] = {
    "predictions": PREDICTIONS,
    "embeddings": EMBEDDINGS,
    "labels": LABELS,
}
REQUIRED: Mapping[str, Sequence[str]] = {
    "predictions": ("request_id", "ts_utc", "model_hash", "preprocessing_hash", "task"),
    "embeddings": ("request_id", "ts_utc", "model_hash", "embedding"),
    "labels": ("request_id", "ts_utc"),
}

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
# Readers of Hive partitions take what looks like a number or a date for one.
_HASH = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,127}")
_CHECKED = {"request_id": _IDENTIFIER, "model_hash": _HASH, "preprocessing_hash": _HASH}
_VERSION_KEY = b"hf_vft.schema_version"


def schema_of(table: str, slices: Sequence[str] = ()) -> pa.Schema:
    """The Arrow schema of a table, with slice columns as strings behind it."""
    columns = [(name, kind) for name, (kind, _) in TABLES[table].items()]
    fields = [*columns, *((name, pa.string()) for name in slices)]
    return pa.schema(fields, metadata={_VERSION_KEY: str(SCHEMA_VERSION).encode()})


def check_version(metadata: Mapping[bytes, bytes] | None, where: object) -> None:
    """Refuse a file that a newer hf-vft has written.

    Raises:
        LogError: If it is newer, or says nothing.
    """
    try:
        version = int((metadata or {})[_VERSION_KEY])
    except (KeyError, ValueError):
        raise LogError(f"{where}: not a part of a production log.") from None
    if version > SCHEMA_VERSION:
        raise LogError(
            f"{where}: written with schema {str(version)[:20]}, and this hf-vft reads up to "
            f"{SCHEMA_VERSION}; upgrade hf-vft."
        )


def check_slices(slices: Sequence[str]) -> tuple[str, ...]:
    """Names of slice columns that can stand beside the others.

    Raises:
        LogError: If one is taken already, or twice.
    """
    taken = [name for name in slices if name in PREDICTIONS or name in ("model", "date")]
    if taken:
        raise LogError(f"slice column {taken[0]!r}: the log has a column of this name; rename it.")
    if len(set(slices)) < len(slices):
        raise LogError(f"slice columns {list(slices)}: one is named twice.")
    return tuple(slices)


def stored(table: str, row: Mapping[str, Any], slices: Sequence[str] = ()) -> dict[str, Any]:
    """A row as JSON holds it: plain values, times in microseconds, NaN as null.

    Raises:
        LogError: If a value is missing, unknown or of the wrong kind.
    """
    columns = TABLES[table]
    values: dict[str, Any] = {}
    for name, value in row.items():
        if name in columns:
            kind = columns[name][0]
        elif name in slices:
            kind = pa.string()
        else:
            raise LogError(f"{table}: there is no column {name!r}; name it as a slice column.")
        try:
            values[name] = _plain(value, kind)
        except (TypeError, ValueError, OverflowError) as error:
            raise LogError(f"{table}: column {name!r}, value {value!r}: {error}.") from None
    if table == "predictions":
        values["schema_version"] = SCHEMA_VERSION
    missing = [name for name in REQUIRED[table] if values.get(name) is None]
    if missing:
        raise LogError(f"{table}: a row has no {missing[0]!r}.")
    for name, pattern in _CHECKED.items():
        if name in values and not pattern.fullmatch(values[name]):
            raise LogError(f"{table}: {name} {values[name]!r} must match {pattern.pattern}.")
    return values


def is_hash(text: str) -> bool:
    """Whether this may be a hash of the log, and so part of a folder's name."""
    return bool(_HASH.fullmatch(text))


def check_identifier(text: str) -> None:
    """Refuse what cannot be part of a file name.

    Raises:
        LogError: With the pattern that it must match.
    """
    if not _IDENTIFIER.fullmatch(text):
        raise LogError(f"{text!r} must match {_IDENTIFIER.pattern}.")


def _plain(value: Any, kind: pa.DataType) -> Any:
    if value is None:
        return None
    if pa.types.is_timestamp(kind):
        return microseconds(value)
    if pa.types.is_list(kind):
        if pa.types.is_struct(kind.value_type):
            fields = [kind.value_type.field(i) for i in range(kind.value_type.num_fields)]
            return [{f.name: _plain(box.get(f.name), f.type) for f in fields} for box in value]
        if pa.types.is_float16(kind.value_type):
            largest = np.finfo(np.float16).max
            return np.clip(np.asarray(value, dtype=np.float32), -largest, largest).astype("<f2")
        if pa.types.is_floating(kind.value_type):
            return np.asarray(value, dtype=np.float64).tolist()
        return [str(item) for item in value]
    if pa.types.is_floating(kind):
        number = float(value)
        return number if np.isfinite(number) else None
    if pa.types.is_integer(kind):
        return int(value)
    return str(value)


def microseconds(moment: datetime) -> int:
    """A moment since 1970 in UTC.

    Raises:
        ValueError: If its time zone is not known.
        TypeError: If it is no moment.
    """
    if not isinstance(moment, datetime):
        raise TypeError("a datetime is needed")
    if moment.tzinfo is None:
        raise ValueError("the time zone is missing; use datetime.now(UTC)")
    return round(moment.timestamp() * 1e6)
