"""What every request passes before Gradio sees it: who asks, how much, from where.

Gradio's own checks come after an upload is on disk. The gate stands before that: it bounds what is
read of a request and for how long, counts callers, closes the addresses of Gradio that this app
has no use for, and puts on each answer the headers that a browser obeys.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from hf_vft.serving.batcher import RateLimit
from hf_vft.serving.caller_access import LOOPBACK, AccessPolicy
from hf_vft.serving.connections import Request
from hf_vft.serving.file_access import UploadFolder
from hf_vft.serving.limits import MB, Limits
from hf_vft.serving.stoppable import STOPPING

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HEALTH = "/health"
CALLER = "x-hf-vft-caller"
"""Header that the gate writes: who asks. Tools call the server itself, and hand it on."""

_UPLOAD = "/gradio_api/upload"
_LOGIN = "/login"
_HEARTBEAT = "/heartbeat/"
_TOOLS = "/mcp"
_OVERHEAD = MB // 4
"""Bytes of a form around its files."""

_CLOSED = re.compile(
    r"/(gradio_api/)?(file=\w+:|file/|proxy=|stream/|runs|run-history|deep_link|vibe|process_rec"
    r"|custom_component|dev/|profiling)|/monitoring"
)
"""Addresses of Gradio that fetch from elsewhere, or that this app has no use for."""

_LAST_WORDS = {
    "/call/": f"event: error\ndata: {json.dumps({'error': STOPPING})}\n\n".encode(),
    "/queue/data": b'data: {"msg": "unexpected_error", "event_id": null, "success": false, '
    b'"session_not_found": false, "message": "Server stopped unexpectedly."}\n\n',
}
"""What Gradio's streams of answers end with; its clients know that of pages by these very words."""

_API_INFO = re.compile(rb"window\.gradio_api_info = .*?;</script>", re.DOTALL)
_NO_API = b'window.gradio_api_info = {"named_endpoints": {}, "unnamed_endpoints": {}};</script>'
_log = logging.getLogger(__name__)


class _RefusedError(Exception):
    """A request that is answered with a status and a sentence."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class _CutError(Exception):
    """The server ends before the answer does."""


class Gate:
    """ASGI middleware; what the server shares of it is in ``state``.

    Args:
        app: What stands behind it.
        policy: Who may ask.
        uploads: Where uploads are kept.
        state: Made by who launches the app.
    """

    def __init__(
        self, app: App, policy: AccessPolicy, uploads: UploadFolder, state: GateState
    ) -> None:
        self._app = app
        self._policy = policy
        self._uploads = uploads
        self._state = state
        self._headers = [(k.encode(), v.encode()) for k, v in policy.headers().items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer, request = _Answer(send, self._headers), Request(receive)
        with self._state.counted(scope["path"]):
            try:
                answering = self._http(scope, request, answer)
                # A tool asks this server itself, and hands on in its protocol what that is told.
                await (answering if _TOOLS in scope["path"] else self._until_refused(answering))
            except _RefusedError as refusal:
                if not answer.started:
                    await answer.refuse(refusal.status, str(refusal))
            except _CutError:
                answer = answer.taken_over()
                await request.rest()
                await answer.cut(scope["path"])

    async def _until_refused(self, answering: Coroutine[Any, Any, None]) -> None:
        """Answer, as long as the server does.

        Raises:
            _CutError: If it refuses what is under way before that.
        """
        work = asyncio.ensure_future(answering)
        work.add_done_callback(lambda done: done.cancelled() or done.exception())  # it was heard
        refused = asyncio.ensure_future(self._state.refused())
        try:
            await asyncio.wait({work, refused}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise _CutError
        finally:
            refused.cancel()
            work.cancel()
        work.result()

    async def _http(self, scope: Scope, request: Request, answer: _Answer) -> None:
        path, method = scope["path"].rstrip("/") or "/", scope["method"]
        if path == HEALTH:
            ready = not self._state.stopping
            await answer.json(200 if ready else 503, {"ok": ready})
            return
        headers = _headers(scope)
        receive: Receive = request
        caller = self._identified(scope, headers)
        if self._state.stopping and method == "POST":  # what was asked before may be fetched
            await request.rest()
            raise _RefusedError(503, STOPPING)
        if _CLOSED.match(path):
            raise _RefusedError(404, "there is no such address.")
        self._check_origin(headers)
        if method == "POST":
            receive = self._bounded(receive, self._checked_size(path, caller, headers))
        if path == _LOGIN and method == "POST":
            await self._login(scope, receive, answer, caller)
        elif self._policy.login and method == "GET" and path == "/":
            await self._app(scope, receive, answer.rewritten(_without_api))
        else:
            await self._app(scope, receive, answer)

    def _identified(self, scope: Scope, headers: dict[str, list[str]]) -> str:
        """Who asks; what the caller writes in the header of the gate is replaced."""
        name, _, key = next(iter(headers.get(CALLER, [])), "").rpartition(" ")
        if not secrets.compare_digest(key.encode(), self._state.key.encode()):
            peer = (scope.get("client") or ("?",))[0]
            name = self._policy.caller(peer, headers.get("x-forwarded-for", []))
        others = [pair for pair in scope["headers"] if pair[0] != CALLER.encode()]
        identity = f"{name} {self._state.key}".encode("latin-1", "replace")
        scope["headers"] = [*others, (CALLER.encode(), identity)]
        return name

    def _check_origin(self, headers: dict[str, list[str]]) -> None:
        """Pages of other origins may neither ask nor read.

        Raises:
            _RefusedError: For those; for a name that is none of this machine's, where only it asks.
        """
        hosts = set(headers.get("host", []))
        if self._policy.proxies:
            hosts |= {h.split(",")[0].strip() for h in headers.get("x-forwarded-host", [])}
        elif self._policy.local and not {_name(host) for host in hosts} <= LOOPBACK:
            raise _RefusedError(
                403, "this server answers this machine; behind a proxy start it with --proxies 1."
            )
        for origin in headers.get("origin", []):
            own = urlsplit(origin).netloc in hosts
            if not own and origin not in self._policy.origins:
                raise _RefusedError(403, "pages of other origins may not ask this server.")

    def _checked_size(self, path: str, caller: str, headers: dict[str, list[str]]) -> int:
        """Most bytes of a request.

        Raises:
            _RefusedError: If it announces more, or the caller has asked too often.
        """
        limits, upload = self._policy.limits, path == _UPLOAD
        most = limits.upload_mb * MB + _OVERHEAD if upload else limits.request_mb * MB
        if int(next(iter(headers.get("content-length", [])), "0") or 0) > most:
            raise _RefusedError(413, f"the request is too large; the limit is {most // MB} MB.")
        if upload and not self._state.uploads.allows(caller):
            raise _RefusedError(429, f"too many uploads: {limits.per_minute} a minute are allowed.")
        if upload and self._state.used_mb(self._uploads) > limits.uploads_mb:
            raise _RefusedError(429, "the server keeps as many uploads as it may: try again later.")
        return most

    def _bounded(self, receive: Receive, most: int) -> Receive:
        """What is read of a request: no more than it may hold, and never waiting for long."""
        read, done = 0, False

        async def bounded() -> Message:
            nonlocal read, done
            if done:  # the end of the connection may be waited for as long as the answer takes
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), self._policy.limits.idle_seconds)
            except TimeoutError:
                raise _RefusedError(408, "the request stopped in the middle.") from None
            read += len(message.get("body", b""))
            done = message["type"] != "http.request" or not message.get("more_body", False)
            if read > most:
                raise _RefusedError(413, f"the request is too large; the limit is {most // MB} MB.")
            return message

        return bounded

    async def _login(self, scope: Scope, receive: Receive, answer: _Answer, caller: str) -> None:
        if not self._state.logins.below(caller):
            _log.warning("A login of %s was refused: too many have failed.", caller)
            raise _RefusedError(429, "too many logins have failed: try again in a minute.")
        await self._app(scope, receive, answer)
        if answer.status == 400:  # what Gradio says of a wrong password
            self._state.logins.allows(caller)
            _log.warning("A login of %s failed.", caller)


class GateState:
    """State that outlives a request.

    Args:
        limits: How much callers may ask.

    Attributes:
        key: Proves that a header was written here.
        stopping: Whether new requests are refused.
        refusing: Whether those that have not begun are, too.
    """

    def __init__(self, limits: Limits) -> None:
        self.key = secrets.token_hex(16)
        self.stopping = False
        self.refusing = False
        self._waiting: set[asyncio.Future[None]] = set()
        self.uploads = RateLimit(limits.per_minute)
        self.logins = RateLimit(limits.logins_per_minute)
        self._under_way = 0
        self._used: tuple[float, float] = (0.0, 0.0)

    def caller(self, headers: Mapping[str, str]) -> str:
        """The caller of a request that has passed the gate."""
        name, _, key = str(headers.get(CALLER, "")).rpartition(" ")
        return name if key == self.key else "?"

    @contextmanager
    def counted(self, path: str) -> Iterator[None]:
        """Count a request as under way; a page that only shows that it is open is not counted."""
        weight = 0 if _HEARTBEAT in path else 1
        self._under_way += weight
        try:
            yield
        finally:
            self._under_way -= weight

    def refuse(self) -> None:
        """Refuse what has been asked and is not answered; from any thread."""
        self.refusing = True
        for waiting in list(self._waiting):
            waiting.get_loop().call_soon_threadsafe(waiting.cancel)

    async def refused(self) -> None:
        """Wait until it is."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        try:
            if not self.refusing:
                await asyncio.wait({waiting})
        finally:
            self._waiting.discard(waiting)

    @property
    def under_way(self) -> int:
        """Requests that have not been answered to the end."""
        return self._under_way

    def used_mb(self, uploads: UploadFolder) -> float:
        """Size of the uploads, at most a second old."""
        now = time.monotonic()
        if now - self._used[0] > 1.0:
            self._used = (now, uploads.used_bytes() / MB)
        return self._used[1]


class _Answer:
    """Sends an answer, with the headers of the gate; remembers how far it is."""

    def __init__(self, send: Send, headers: list[tuple[bytes, bytes]]) -> None:
        self._send = send
        self._headers = headers
        self._ended = False
        self.status = 0

    @property
    def started(self) -> bool:
        return self.status > 0

    async def __call__(self, message: Message) -> None:
        if self._ended:
            return
        if message["type"] == "http.response.body":
            self._ended = not message.get("more_body", False)
        if message["type"] == "http.response.start":
            self.status = message["status"]
            ours = {name for name, _ in self._headers}
            headers = [pair for pair in message.get("headers", []) if pair[0].lower() not in ours]
            message = {**message, "headers": [*headers, *self._headers]}
        await self._send(message)

    def rewritten(self, change: Callable[[bytes], bytes]) -> Send:
        """Sends a whole answer at once, changed."""
        start: Message = {}
        parts: list[bytes] = []

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
                return
            parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                body = change(b"".join(parts))
                length = (b"content-length", str(len(body)).encode())
                headers = [h for h in start["headers"] if h[0].lower() != length[0]]
                await self({**start, "headers": [*headers, length]})
                await self({"type": "http.response.body", "body": body})

        return send

    async def json(self, status: int, value: object) -> None:
        body = json.dumps(value).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await self({"type": "http.response.start", "status": status, "headers": headers})
        await self({"type": "http.response.body", "body": body})

    async def refuse(self, status: int, text: str) -> None:
        await self.json(status, {"error": text, "detail": text})

    def taken_over(self) -> _Answer:
        """What speaks from now on: whatever is still sent here is dropped."""
        other = _Answer(self._send, self._headers)
        other.status, other._ended, self._ended = self.status, self._ended, True
        return other

    async def cut(self, path: str) -> None:
        """End what will not come to its end, in words that whoever asked understands."""
        if not self.started:
            await self.refuse(503, STOPPING)
        last = next((text for part, text in _LAST_WORDS.items() if part in path), b"")
        await self({"type": "http.response.body", "body": last})


def _without_api(page: bytes) -> bytes:
    """The page for who has not logged in: it does not say what the endpoints take."""
    return _API_INFO.sub(_NO_API, page) if b'"auth_required":true' in page else page


def _headers(scope: Scope) -> dict[str, list[str]]:
    headers: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return headers


def _name(host: str) -> str:
    return urlsplit(f"//{host}").hostname or ""
