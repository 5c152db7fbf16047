"""Rows that claim to be from the future: a wrong clock wrote them, or a wrong unit of time.

They would count as the newest for as long as their date lies ahead, so whoever looks at the newest
rows leaves them out, and says how many they are.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hf_vft.records.log import ProductionLog

AHEAD = timedelta(days=1)
"""So far may the clock of another machine be ahead, or a time zone have been forgotten."""


def latest_credible(until: datetime | None = None) -> datetime:
    """The first moment that no row can have been written at; a later ``until`` is believed."""
    latest = datetime.now(UTC) + AHEAD
    return latest if until is None else max(latest, until)


def future_notes(log: ProductionLog, latest: datetime) -> list[str]:
    """A sentence on the rows from ``latest`` on, if there are any.

    Raises:
        LogError: If the log is damaged.
    """
    rows = len(log.read(since=latest, columns=["request_id"]))
    labels = len(log.read_labels(since=latest))
    if not rows and not labels:
        return []
    return [
        f"Left out, because dated after {latest:%Y-%m-%d %H:%M} UTC: {rows:,} predictions, "
        f"and labels of {labels:,} requests; set the clock of whatever writes them."
    ]
