"""The gate on its own: an app behind it that says what reached it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from hf_vft.serving.caller_access import AccessPolicy
from hf_vft.serving.file_access import UploadFolder
from hf_vft.serving.gate import CALLER, Gate, GateState
from hf_vft.serving.limits import MB, Limits
from hf_vft.serving.stoppable import STOPPING

OWN = {"host": "127.0.0.1:7860"}


@pytest.fixture
def uploads(tmp_path: Path) -> UploadFolder:
    return UploadFolder(tmp_path)


class Asked:
    """A gate, and what is asked of it."""

    def __init__(self, uploads: UploadFolder, app: Any = None, **policy: Any) -> None:
        self.policy = AccessPolicy(**policy)
        self.state = GateState(self.policy.limits)
        self.reached: list[dict[str, Any]] = []
        self.gate = Gate(app or self._answer, self.policy, uploads, self.state)

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        if scope["method"] == "POST":
            while True:
                message = await receive()
                body += message["body"]
                if not message.get("more_body"):
                    break
        self.reached.append(
            {"path": scope["path"], "headers": dict(scope["headers"]), "body": body}
        )
        headers = [(b"content-type", b"text/html"), (b"x-frame-options", b"ALLOWALL")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"an answer"})

    def __call__(
        self,
        path: str,
        method: str = "GET",
        *,
        body: list[bytes] | Callable[[], Awaitable[Any]] = [b""],  # noqa: B006
        peer: str = "127.0.0.1",
        headers: dict[str, str] = OWN,
    ) -> tuple[int, bytes, dict[str, str]]:
        sent: list[Any] = []
        parts = list(body) if isinstance(body, list) else []

        async def receive() -> Any:
            if not isinstance(body, list):
                return await body()
            return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

        async def send(message: Any) -> None:
            sent.append(message)

        pairs = [(k.encode(), v.encode()) for k, v in headers.items()]
        scope = {
            "type": "http", "path": path, "method": method, "headers": pairs, "client": (peer, 1),
        }  # fmt: skip
        asyncio.run(self.gate(scope, receive, send))
        told = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
        return sent[0]["status"], b"".join(m.get("body", b"") for m in sent[1:]), told


@pytest.mark.parametrize(
    ("proxies", "forwarded", "caller"),
    [
        (0, ["203.0.113.9"], "10.0.0.1"),  # nobody is believed
        (1, ["203.0.113.9"], "203.0.113.9"),
        (1, ["1.1.1.1, 203.0.113.9"], "203.0.113.9"),  # what the caller wrote is not
        (1, ["1.1.1.1", "203.0.113.9"], "203.0.113.9"),  # nor in a header of its own
        (2, ["1.1.1.1, 203.0.113.9, 10.0.0.7"], "203.0.113.9"),
        (2, ["203.0.113.9"], "203.0.113.9"),
        (1, [], "10.0.0.1"),
        (1, [" , "], "10.0.0.1"),
    ],
)
def test_a_caller_is_who_the_trusted_proxy_was_asked_by(
    proxies: int, forwarded: list[str], caller: str
) -> None:
    assert AccessPolicy(proxies=proxies).caller("10.0.0.1", forwarded) == caller


def test_who_asks_is_handed_on_and_cannot_be_made_up(uploads: UploadFolder) -> None:
    asked = Asked(uploads, local=False)
    asked("/", peer="198.51.100.1", headers={**OWN, CALLER: "somebody guessed-key"})
    [reached] = asked.reached
    written = reached["headers"][CALLER.encode()].decode()
    assert asked.state.caller({CALLER: written}) == "198.51.100.1"
    # Tools of agents ask the server itself, and hand on what the gate wrote.
    asked("/", headers={**OWN, CALLER: written})
    again = asked.reached[1]["headers"][CALLER.encode()].decode()
    assert asked.state.caller({CALLER: again}) == "198.51.100.1"
    assert asked.state.caller({}) == "?"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_pages_of_other_origins_neither_ask_nor_read(
    uploads: UploadFolder, origin: str, method: str
) -> None:
    asked = Asked(uploads, local=False)
    assert asked("/x", method, headers={**OWN, "origin": origin})[0] == 403
    assert asked("/x", method, headers={**OWN, "origin": "http://127.0.0.1:7860"})[0] == 200
    allowed = Asked(uploads, local=False, origins=(origin,))
    assert allowed("/x", method, headers={**OWN, "origin": origin})[0] == 200


def test_a_name_that_was_pointed_at_this_machine_is_refused(uploads: UploadFolder) -> None:
    rebound = {"host": "evil.example:7860", "origin": "http://evil.example:7860"}
    assert Asked(uploads)("/", headers=rebound)[0] == 403
    assert Asked(uploads)("/", headers={"host": "localhost:7860"})[0] == 200
    assert Asked(uploads, local=False)("/", headers=rebound)[0] == 200  # its name is not known
    behind = {
        "host": "127.0.0.1:7860",
        "x-forwarded-host": "a.example",
        "origin": "https://a.example",
    }
    assert Asked(uploads, proxies=1)("/", headers=behind)[0] == 200
    assert Asked(uploads)("/", headers=behind)[0] == 403


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=http://127.0.0.1/x", "/gradio_api/proxy=http://127.0.0.1/x",
        "/gradio_api/file/etc/passwd", "/gradio_api/runs", "/gradio_api/run-history/connect",
        "/gradio_api/vibe-edit/", "/gradio_api/process_recording", "/monitoring/summary",
        "/gradio_api/deep_link", "/gradio_api/stream/1",
    ],
)  # fmt: skip
def test_addresses_that_fetch_or_have_no_use_are_closed(uploads: UploadFolder, path: str) -> None:
    asked = Asked(uploads)
    assert asked(path)[0] == asked(path, "POST")[0] == 404
    assert not asked.reached


def test_a_request_is_no_larger_than_it_may_be(uploads: UploadFolder) -> None:
    limits = Limits(upload_mb=2, request_mb=1)
    asked = Asked(uploads, limits=limits)
    for path, most in (("/gradio_api/upload", 3 * MB), ("/gradio_api/call/predict", 2 * MB)):
        announced = {**OWN, "content-length": str(most)}
        assert asked(path, "POST", headers=announced)[0] == 413
        assert asked(path, "POST", body=[b"x" * (MB // 2)] * 2 * (most // MB))[0] == 413
    assert not asked.reached
    assert asked("/gradio_api/upload", "POST", body=[b"x" * MB, b"x"])[0] == 200


def test_a_request_that_stops_in_the_middle_is_dropped(uploads: UploadFolder) -> None:
    asked = Asked(uploads, limits=Limits(idle_seconds=1))

    async def never() -> Any:
        await asyncio.sleep(30)

    assert asked("/gradio_api/upload", "POST", body=never)[0] == 408


@pytest.mark.parametrize(
    ("path", "method", "begun", "told"),
    [
        ("/gradio_api/upload", "POST", False, STOPPING),
        (
            "/gradio_api/call/predict/1",
            "GET",
            True,
            f'event: error\ndata: {{"error": "{STOPPING}"}}',
        ),
        ("/gradio_api/queue/data", "GET", True, '"Server stopped unexpectedly."'),
        ("/gradio_api/queue/data", "GET", False, STOPPING),
    ],
)
def test_what_is_under_way_when_the_server_ends_is_told_so(
    uploads: UploadFolder, path: str, method: str, begun: bool, told: str
) -> None:
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        threading.Thread(target=asked.state.refuse).start()
        try:
            await asyncio.sleep(30)
        finally:  # as Gradio does where it is cut
            await send({"type": "http.response.body", "body": b"more"})

    asked = Asked(uploads, slow)
    status, body, _ = asked(path, method)
    assert status == (200 if begun else 503)
    assert told in body.decode()
    assert b"more" not in body
    assert asked.state.under_way == 0


def test_uploads_of_a_caller_and_of_all_are_counted_before_they_are_read(
    uploads: UploadFolder,
) -> None:
    asked = Asked(uploads, limits=Limits(per_minute=2, uploads_mb=1))
    told = [asked("/gradio_api/upload", "POST")[0] for _ in range(3)]
    assert told == [200, 200, 429]
    (uploads.path / "kept").write_bytes(b"x" * (2 * MB))
    asked.state._used = (0.0, 0.0)
    status, body, _ = asked("/gradio_api/upload", "POST", peer="10.0.0.2")
    assert (status, b"as many uploads as it may" in body) == (429, True)


def test_failed_logins_are_told_in_the_log_and_braked(
    uploads: UploadFolder, caplog: pytest.LogCaptureFixture
) -> None:
    async def wrong(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 400, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    asked = Asked(uploads, wrong, login=True, limits=Limits(logins_per_minute=3))
    with caplog.at_level(logging.WARNING):
        told = [asked("/login", "POST", body=[b"password=marker"])[0] for _ in range(5)]
    assert told == [400, 400, 400, 429, 429]
    assert asked("/login", "POST", peer="10.0.0.9")[0] == 400
    assert caplog.text.count("127.0.0.1") == 5
    assert "marker" not in caplog.text


def test_each_answer_tells_browsers_what_they_may_do(uploads: UploadFolder) -> None:
    asked = Asked(uploads)
    for path in ("/", "/monitoring", "/health"):
        told = asked(path)[2]
        assert told["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'self'" in told["content-security-policy"]
        assert "object-src 'none'" in told["content-security-policy"]
        assert told["x-frame-options"] == "SAMEORIGIN"
    framed = Asked(uploads, frames=("https://hub.example",))("/")[2]
    assert "frame-ancestors 'self' https://hub.example" in framed["content-security-policy"]
    assert framed["x-frame-options"] != "SAMEORIGIN"  # it knows no origins


def test_a_server_that_is_stopped_says_so_and_still_hands_out_answers(
    uploads: UploadFolder,
) -> None:
    asked = Asked(uploads)
    assert asked("/health")[:2] == (200, b'{"ok": true}')
    asked.state.stopping = True
    assert asked("/health")[0] == 503
    assert asked("/gradio_api/call/predict", "POST")[0] == 503
    assert asked("/gradio_api/call/predict/1")[0] == 200
    assert asked.state.under_way == 0


@pytest.mark.parametrize("refusing", [False, True])
def test_a_request_is_read_to_its_end_before_a_server_that_stops_refuses_it(
    uploads: UploadFolder, refusing: bool
) -> None:
    asked = Asked(uploads)
    asked.state.stopping = True
    if refusing:
        asked.state.refuse()
    parts = [b"a", b"b", b"c"]
    left = list(parts)

    async def receive() -> Any:
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    status, told, _ = asked("/gradio_api/upload", "POST", body=receive)
    assert (status, left) == (503, [])
    assert STOPPING in told.decode()


def test_a_request_that_stops_in_the_middle_is_refused_all_the_same(uploads: UploadFolder) -> None:
    asked = Asked(uploads)
    asked.state.stopping = True

    async def receive() -> Any:
        await asyncio.sleep(30)

    assert asked("/gradio_api/upload", "POST", body=receive)[0] == 503


def test_the_page_for_who_has_not_logged_in_does_not_name_the_classes(
    uploads: UploadFolder,
) -> None:
    known = b'<script>window.gradio_config = {"auth_required":%s};</script><script>' \
        b'window.gradio_api_info = {"enum": ["secret class;</script"]};</script>'  # fmt: skip

    async def page(scope: Any, receive: Any, send: Any) -> None:
        flag = b"true" if scope["client"][0] == "127.0.0.1" else b"false"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": known[:40] % (), "more_body": True})
        await send({"type": "http.response.body", "body": known[40:] % flag})

    asked = Asked(uploads, page, login=True, local=False)
    assert b"secret class" not in asked("/")[1]
    assert b"secret class" in asked("/", peer="10.0.0.1")[1]
