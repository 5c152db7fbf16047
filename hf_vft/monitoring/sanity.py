"""Whether the log can be compared with the reference at all, and what is odd about it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hf_vft.errors import LogError
from hf_vft.monitoring.findings import Finding, insufficient
from hf_vft.monitoring.log_sample import Sample, image_identity

MINIMUM_ROWS = 100
"""Below this no drift is tested."""

LONG_GAP = 10  # times the 0.99 quantile of the time between two rows
MEASURED = ("brightness", "contrast", "sharpness", "confidence", "entropy", "predicted")


def comparable(frame: pd.DataFrame, identity: dict[str, str]) -> pd.Series:
    """The rows from the reference's model and preprocessing.

    Args:
        frame: Predictions of any models.
        identity: ``model_hash`` and ``preprocessing_hash`` of the reference.

    Raises:
        LogError: If there are rows, but none of them does.
    """
    same = pd.Series(True, index=frame.index)
    for name, value in identity.items():
        matches = frame[name] == value
        if len(frame) and not matches.any():
            values = ", ".join(map(str, frame[name].dropna().unique()[:3]))
            raise LogError(
                f"every row of the log has another {name} ({values}) than the run ({value}): "
                "the two cannot be compared; monitor with the run that answered."
            )
        same &= matches
    if len(frame) and not same.any():
        raise LogError("no row has both the model and the preprocessing of the run.")
    return same


def sanity_findings(
    reference: Sample, current: Sample, *, excluded: int = 0, minimum_rows: int = MINIMUM_ROWS
) -> list[Finding]:
    """Rows, rows of other models, missing values, gaps in time and repeated images.

    Args:
        reference: Held-out rows.
        current: Comparable rows.
        excluded: Rows of other models or preprocessing that were left out.
        minimum_rows: Fewer are not enough for a verdict.
    """
    n = len(current)
    findings = [_rows(n, minimum_rows)]
    if n:
        findings += [
            _other_models(n, excluded),
            _missing(reference.frame, current.frame),
            _repeated(reference.frame, current.frame),
            _gap(current.frame["ts_utc"]),
        ]
    return findings


def _rows(n: int, minimum: int) -> Finding:
    if n < minimum:
        note = f"{n} rows: at least {minimum} are needed before anything is tested."
        return insufficient("sanity", "rows", n, note)
    return Finding(section="sanity", name="rows", method="count", current=n, rows=n)


def _other_models(n: int, excluded: int) -> Finding:
    share = excluded / (n + excluded)
    note = f"{excluded} rows of another model or preprocessing are left out." if excluded else ""
    return Finding(
        section="sanity",
        name="other_model",
        method="share of rows",
        effect=share,
        effect_name="share",
        current=share,
        rows=n,
        note=note,
    )


def _missing(reference: pd.DataFrame, current: pd.DataFrame) -> Finding:
    names = [name for name in MEASURED if name in reference and name in current]
    more = current[names].isna().mean() - reference[names].isna().mean()
    worst = str(more.idxmax())
    excess = max(0.0, float(more.max()))
    return Finding(
        section="sanity",
        name="missing",
        method="share of missing values",
        effect=excess,
        effect_name="share",
        reference=float(reference[worst].isna().mean()),
        current=float(current[worst].isna().mean()),
        rows=len(current),
        note=f"Most of them in {worst}." if excess else "",
    )


def _repeated(reference: pd.DataFrame, current: pd.DataFrame) -> Finding:
    """A camera that is stuck sends the same image again and again."""
    before, now = (float(image_identity(f).duplicated().mean()) for f in (reference, current))
    return Finding(
        section="sanity",
        name="repeated",
        method="share of images that repeat another",
        effect=now - before,
        effect_name="share",
        reference=before,
        current=now,
        rows=len(current),
        note=f"{now:.1%} of the images repeat another one." if now > before else "",
    )


def _gap(times: pd.Series) -> Finding:
    waits = times.sort_values().diff().dropna().dt.total_seconds().to_numpy()
    longest = float(waits.max()) if len(waits) else 0.0
    usual = float(np.quantile(waits, 0.99)) if len(waits) else 0.0
    long = longest > LONG_GAP * usual > 0
    start = times.sort_values().iloc[int(waits.argmax())] if len(waits) else None
    return Finding(
        section="sanity",
        name="time_gap",
        method="longest time between two rows",
        effect=longest / usual if usual > 0 else None,
        effect_name="longest / 0.99 quantile",
        current=longest,
        rows=len(times),
        note=f"Nothing was logged for {longest / 3600:.1f} h from {start:%Y-%m-%d %H:%M}."
        if long and start is not None
        else "",
    )
