"""Requests as a program writes them that is none of Gradio's clients."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx

PATIENCE = 60.0
"""Seconds that a client waits for each step; httpx by itself gives up after 5."""

META = {"_type": "gradio.FileData"}


def upload(url: str, name: str, content: bytes, **headers: str) -> str:
    """Where the server keeps an upload."""
    answer = httpx.post(
        f"{url}gradio_api/upload",
        files={"files": (name, content)},
        headers=headers,
        timeout=PATIENCE,
    )
    [kept] = answer.raise_for_status().json()
    return str(kept)


def file(path: str | Path) -> dict[str, Any]:
    """A file argument."""
    return {"path": str(path), "meta": META}


def raw_call(
    url: str, endpoint: str, *data: Any, patience: float = PATIENCE, **headers: str
) -> str:
    """What the server sends for a call, as it stands on the wire."""
    base = f"{url}gradio_api/call/{endpoint}"
    body = json.dumps({"data": data})  # escapes what is no text
    headers = {"content-type": "application/json", **headers}
    started = httpx.post(base, content=body, headers=headers, timeout=patience)
    if started.status_code != httpx.codes.OK:
        return started.text
    return httpx.get(f"{base}/{started.json()['event_id']}", headers=headers, timeout=patience).text
