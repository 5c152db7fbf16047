from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from hf_vft.serving import connections
from hf_vft.serving.connections import IdleConnections, has_turned, unasked


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


class Connection:
    """As uvicorn has it: what is being answered, and the socket."""

    def __init__(self, answered: bool | None = None) -> None:
        self.closed = False
        self.cycle = None if answered is None else SimpleNamespace(response_complete=answered)
        self.transport = SimpleNamespace(close=self._close)
        self.loop = SimpleNamespace(call_soon_threadsafe=lambda call: call())

    def _close(self) -> None:
        self.closed = True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(connections, "time", found)
    return found


def watched(*open_ones: Any) -> IdleConnections:
    server = SimpleNamespace(server_state=SimpleNamespace(connections=set(open_ones)))
    return IdleConnections(server, seconds=30)


def test_a_half_sent_request_is_closed_after_so_long(clock: Clock) -> None:
    half = Connection()
    idle = watched(half)
    assert idle.close_idle() == 0
    clock.now += 29
    assert (idle.close_idle(), half.closed) == (0, False)
    clock.now += 1
    assert (idle.close_idle(), half.closed) == (1, True)


def test_a_connection_that_is_kept_open_after_an_answer_is_closed_too(clock: Clock) -> None:
    kept = Connection(answered=True)
    idle = watched(kept)
    idle.close_idle()
    clock.now += 30
    assert (idle.close_idle(), kept.closed) == (1, True)


def test_a_request_that_is_being_answered_is_left_alone_however_long(clock: Clock) -> None:
    busy = Connection(answered=False)
    idle = watched(busy)
    for _ in range(5):
        assert idle.close_idle() == 0
        clock.now += 1000
    assert not busy.closed


def test_each_request_of_a_connection_has_its_own_time(clock: Clock) -> None:
    used = Connection(answered=True)
    idle = watched(used)
    idle.close_idle()
    clock.now += 29
    used.cycle = SimpleNamespace(response_complete=True)  # it has asked again in the meantime
    assert idle.close_idle() == 0
    clock.now += 29
    assert (idle.close_idle(), used.closed) == (0, False)


def test_connections_without_a_request_are_counted() -> None:
    open_ones = {Connection(), Connection(answered=True), Connection(answered=False)}
    state = SimpleNamespace(connections=open_ones)
    assert unasked(SimpleNamespace(server_state=state)) == 1


def test_a_loop_that_is_busy_has_not_turned() -> None:
    async def talk() -> tuple[bool, bool]:
        listener = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        server = SimpleNamespace(servers=[listener])
        free = await asyncio.to_thread(has_turned, server, 10)
        busy = has_turned(server, 0.01)  # from the loop itself, which so cannot turn
        listener.close()
        return free, busy

    assert asyncio.run(talk()) == (True, False)
