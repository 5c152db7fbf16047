"""Who has connected when a server stops to listen is answered; nobody else connects."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest

pytest.importorskip("uvloop", reason="needs hf-vft[serve]")

import uvloop

from hf_vft.serving.listening import is_listening, stop_listening

WAITING = 40
LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(await reader.readline())
    writer.close()


async def _until_closed(server: SimpleNamespace) -> None:
    while is_listening(server):
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("new_loop", LOOPS)
def test_nobody_who_waits_at_the_socket_is_reset(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def talk() -> list[bytes]:
        listener = await asyncio.start_server(_echo, "127.0.0.1", 0, backlog=2 * WAITING)
        address = listener.sockets[0].getsockname()
        # The loop is busy with us, so all of them wait at the socket.
        clients = [socket.create_connection(address, timeout=30) for _ in range(WAITING)]
        for client in clients:
            client.sendall(b"here\n")
        server = SimpleNamespace(servers=[listener])
        stop_listening(server)
        await _until_closed(server)
        answers = [await asyncio.to_thread(client.recv, 10) for client in clients]
        for client in clients:
            client.close()
        return answers

    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(talk()) == [b"here\n"] * WAITING


@pytest.mark.parametrize("new_loop", LOOPS)
def test_who_is_connected_stays_when_nobody_else_is_let_in(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def talk() -> bytes:
        listener = await asyncio.start_server(_echo, "127.0.0.1", 0)
        address = listener.sockets[0].getsockname()
        reader, writer = await asyncio.open_connection(*address)
        server = SimpleNamespace(servers=[listener])
        stop_listening(server)
        await _until_closed(server)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*address)
        writer.write(b"here\n")
        answer = await reader.readline()
        writer.close()
        return answer

    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(talk()) == b"here\n"


def test_who_asks_all_the_time_does_not_keep_a_socket_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel cannot be asked to answer nobody else."""
    monkeypatch.setattr("hf_vft.serving.listening._drop_new", lambda listening: None)
    monkeypatch.setattr("hf_vft.serving.listening._LET_IN_AT_MOST", 0.5)

    async def talk() -> float:
        listener = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        address = listener.sockets[0].getsockname()
        server, began = SimpleNamespace(servers=[listener]), time.monotonic()
        stop_listening(server)
        while is_listening(server):
            with socket.create_connection(address, timeout=30):
                await asyncio.sleep(0.001)
        return time.monotonic() - began

    assert asyncio.run(talk()) < 30
