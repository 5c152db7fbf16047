"""How a server stops to listen without a reset for who has just connected.

To close a socket that listens resets all who are connected and not let in yet; a loop that is
busy, or lets in one a turn as uvloop does, leaves many of them there. So the kernel is asked first
to answer nobody else, and the socket is closed once nobody waits at it.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import select
import socket
import struct
import sys
import time
from contextlib import suppress
from typing import Any, Protocol

_LET_IN = 0.2
"""Seconds in which nobody waits at a socket before it is closed; a handshake under way takes less.
"""

_LET_IN_AT_MOST = 1.5
"""Seconds after which it is closed anyway, where the kernel cannot be asked."""

_LOOK = 0.02

_SO_ATTACH_FILTER = 26
_DROP_NEW = (
    (0x30, 0, 0, 13),  # the flags of the TCP header
    (0x54, 0, 0, 0x12),  # of these SYN and ACK
    (0x15, 0, 1, 0x02),  # SYN alone asks for a connection:
    (0x06, 0, 0, 0),  # it is dropped
    (0x06, 0, 0, 0xFFFFFFFF),  # all else is taken whole
)
"""A program of the Linux kernel's packet filter: code, jumps if true and if false, operand."""


class Server(Protocol):
    """What is asked of uvicorn's server."""

    servers: list[Any]


def stop_listening(server: Server) -> None:
    """Take no more connections; those that there are stay. From any thread.

    Who asks for one in the meantime tries again after a second, and is refused then.

    Args:
        server: A running ``uvicorn.Server``; `is_listening` says when it has been done.
    """
    for listener in server.servers:
        loop = listener.get_loop()
        if not loop.is_closed():
            loop.call_soon_threadsafe(_Closing(listener, loop).look)


def is_listening(server: Server) -> bool:
    """Whether somebody may still connect."""
    return any(listener.is_serving() for listener in server.servers)


class _Closing:
    """Closes a listener once nobody has waited at it for a while."""

    def __init__(self, listener: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._listener = listener
        self._loop = loop
        # Descriptors of our own: a loop gives only a part of its sockets away.
        self._sockets = [socket.socket(fileno=os.dup(s.fileno())) for s in listener.sockets]
        self._waiting = select.poll()
        for accepting in self._sockets:
            self._waiting.register(accepting, select.POLLIN)
            _drop_new(accepting)
        self._began = self._quiet = time.monotonic()

    def look(self) -> None:
        """Close it, or look again in a moment; in the loop."""
        now = time.monotonic()
        if self._waiting.poll(0):
            self._quiet = now
        if now - self._quiet < _LET_IN and now - self._began < _LET_IN_AT_MOST:
            self._loop.call_later(_LOOK, self.look)
            return
        self._listener.close()
        for accepting in self._sockets:
            accepting.close()


def _drop_new(listening: socket.socket) -> None:
    """Let the kernel answer nobody else who asks for a connection."""
    if sys.platform != "linux":
        return
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in _DROP_NEW))
    program = struct.pack("HP", len(_DROP_NEW), ctypes.addressof(code))
    with suppress(OSError):  # not everywhere allowed; then whoever still comes is let in
        listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
