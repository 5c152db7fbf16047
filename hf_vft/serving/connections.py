"""Connections on which nothing is asked: uvicorn holds a half-sent request for ever.

And it closes them when it stops, also those whose request is on its way.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any, Protocol

_LINGER = 0.5
"""Seconds that the rest of a request may take that is not answered because the server stops."""


class Request:
    """Receives a request, and remembers whether all of it has come."""

    def __init__(self, receive: Callable[[], Awaitable[MutableMapping[str, Any]]]) -> None:
        self._receive = receive
        self._whole = False

    async def __call__(self) -> MutableMapping[str, Any]:
        """The next part of it."""
        message = await self._receive()
        self._whole = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def rest(self) -> None:
        """Read what is left of it, for a moment.

        A connection that is closed with something unread is reset: the answer would be lost.
        """

        async def read() -> None:
            while not self._whole:
                await self()

        with suppress(TimeoutError):
            await asyncio.wait_for(read(), _LINGER)


class Server(Protocol):
    """What is asked of uvicorn's server."""

    servers: list[Any]
    server_state: Any


def has_turned(server: Server, seconds: float) -> bool:
    """Whether the server's loop comes round within so long; what had arrived is then seen."""
    [listener, *_] = server.servers
    turned, loop = threading.Event(), listener.get_loop()
    if loop.is_closed():
        return True
    loop.call_soon_threadsafe(loop.call_soon, turned.set)
    return turned.wait(seconds)


def unasked(server: Server) -> int:
    """How many connections have sent no whole head of a request yet."""
    connections = list(server.server_state.connections)
    return sum(getattr(connection, "cycle", None) is None for connection in connections)


class IdleConnections:
    """Closes connections that have been without a whole request for too long.

    Args:
        server: A running ``uvicorn.Server``.
        seconds: How long is too long.
    """

    def __init__(self, server: Server, seconds: float) -> None:
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
