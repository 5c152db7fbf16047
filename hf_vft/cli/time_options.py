"""Moments on the command line: in UTC, as the production log has them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]

Since = Annotated[
    datetime | None,
    typer.Option(help="Images from before do not count (UTC).", formats=_FORMATS),
]
Until = Annotated[
    datetime | None,
    typer.Option(help="Nor do those from this moment on (UTC).", formats=_FORMATS),
]


def utc(moment: datetime | None) -> datetime | None:
    """Add the time zone UTC to a moment that has none."""
    return None if moment is None else moment.replace(tzinfo=UTC)
