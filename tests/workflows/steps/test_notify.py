"""Who is told of a verdict: a webhook, a discussion on the Hub; what is said if none answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from hf_vft.errors import HubError
from hf_vft.monitoring.decision import decide
from hf_vft.monitoring.policy import Policy
from hf_vft.workflows.steps.notify import act
from tests.monitoring.test_decision import NOTHING, STRONG, WORSE


class Inbox(BaseHTTPRequestHandler):
    """Keeps what was posted; answers as a webhook, or as the Hub does about a discussion."""

    received: list[tuple[str, Any]]
    status = 200

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append((self.path, json.loads(body)))
        self._answer({"num": 1})

    def do_GET(self) -> None:
        self._answer(
            {
                "num": 1, "title": "t", "status": "open", "isPullRequest": False,
                "author": {"name": "maker"}, "createdAt": "2026-04-01T06:00:00.000Z",
                "changes": {"base": None}, "filesWithConflicts": False, "events": [],
                "diffUrl": None, "diff": None, "repo": {"name": "me/model", "type": "model"},
            }
        )  # fmt: skip

    def _answer(self, content: Any) -> None:
        data = json.dumps(content).encode()
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Silent."""


@contextmanager
def inbox(status: int = 200) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    handler = type("Bound", (Inbox,), {"received": [], "status": status})
    server = HTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", handler.received
    finally:
        server.shutdown()
        server.server_close()


ALERT, QUIET = decide([[STRONG, WORSE]] * 3, Policy()), decide([[NOTHING]] * 3, Policy())


def acting(**actions: Any) -> Policy:
    return Policy.model_validate({"actions": actions})


def test_the_webhook_gets_the_verdict_and_only_on_an_alert() -> None:
    with inbox() as (address, received):
        policy = acting(webhook=f"{address}/secret-path")
        act(QUIET, policy, name="line")
        assert received == []
        act(ALERT, policy, name="line")
    ((path, message),) = received
    assert path == "/secret-path"
    assert (message["run"], message["action"]) == ("line", "retrain")
    assert message["text"].startswith(ALERT.headline)
    assert ALERT.reasons[0] in message["text"]


def test_a_webhook_that_fails_is_one_line_without_its_secret() -> None:
    with inbox(500) as (address, _), pytest.raises(HubError) as error:
        act(ALERT, acting(webhook=f"{address}/secret-path"), name="line")
    assert "not reached (HTTPError)" in str(error.value)
    assert "secret" not in str(error.value)
    with pytest.raises(HubError, match="begins with https"):
        act(ALERT, acting(webhook="file:///etc/passwd"), name="line")


def test_the_hub_gets_a_discussion(monkeypatch: pytest.MonkeyPatch) -> None:
    with inbox() as (address, received):
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
        act(ALERT, acting(hub="me/model"), name="line")
    path, message = received[0]
    assert path == "/api/models/me/model/discussions"
    assert message["title"] == f"Monitor: {ALERT.headline}"
    assert ALERT.reasons[0] in message["description"]


def test_a_hub_that_refuses_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with inbox(403) as (address, _):
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
        with pytest.raises(HubError, match="me/model: no message left"):
            act(ALERT, acting(hub="me/model"), name="line")
