"""Connections on which nothing is asked: uvicorn holds a half-sent request for ever."""

from __future__ import annotations

import time
from typing import Any


class IdleConnections:
    """Closes connections that have been without a whole request for too long.

    Args:
        server: A running ``uvicorn.Server``.
        seconds: How long is too long.
    """

    def __init__(self, server: Any, seconds: float) -> None:
        self._server = server
        self._seconds = seconds
        self._since: dict[tuple[int, int], float] = {}

    def close_idle(self) -> int:
        """Close those that were in the same idle state for that long.

        Returns:
            How many.
        """
        now, idle, closed = time.monotonic(), {}, 0
        for connection in list(self._server.server_state.connections):
            cycle = getattr(connection, "cycle", None)  # the request being answered, or the last
            if cycle is not None and not cycle.response_complete:
                continue
            key = (id(connection), id(cycle))
            idle[key] = self._since.get(key, now)
            if now - idle[key] >= self._seconds:
                connection.loop.call_soon_threadsafe(connection.transport.close)
                closed += 1
        self._since = idle
        return closed
