"""A Hub on this machine: real HTTP, spoken to by the real ``huggingface_hub`` client.

It keeps repositories of models, datasets and Spaces in memory, stores large files by their
SHA-256 as the Hub's LFS does, and can be told to fail. What it answers follows what the client
reads; the client itself is never patched.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.hub.hosted import Blob, Repo, blobs
from tests.hub.hub_requests import READ, STRANGER, WRITE, Fault, Handler

__all__ = ["READ", "STRANGER", "WRITE", "LoopbackHub", "asked"]


class LoopbackHub:
    """The server. ``with LoopbackHub() as hub: HfApi(endpoint=hub.url, token=WRITE)``."""

    def __init__(self) -> None:
        self.repos: dict[tuple[str, str], Repo] = {}
        self.stored: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.faults: list[Fault] = []
        self.lock = threading.RLock()
        self.server = ThreadingHTTPServer(
            ("127.0.0.1", 0), type("Bound", (Handler,), {"hub": self})
        )
        self.server.daemon_threads = True
        port = self.server.server_address[1]
        # Large files lie on another host than the Hub itself, so that no token is sent there.
        self.url, self.storage = f"http://127.0.0.1:{port}", f"http://localhost:{port}"
        self._thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self) -> LoopbackHub:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def fail(
        self,
        pattern: str,
        status: int | None = None,
        message: str = "made to fail",
        *,
        times: int = 1,
        after: bool = False,
        **headers: str,
    ) -> None:
        """Let the next requests fail whose ``METHOD /path`` matches.

        Args:
            pattern: A regular expression.
            status: Answered; None drops the connection.
            message: As the Hub words it.
            times: How many requests.
            after: The request takes effect, and only its answer is lost.
            **headers: Of the answer, with ``_`` for ``-``.
        """
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.faults.append(Fault(pattern, status, message, times, named, after))

    def fault(self, request: str) -> Fault | None:
        """What is to go wrong with this request."""
        with self.lock:
            for fault in self.faults:
                if fault.times and re.search(fault.pattern, request):
                    fault.times -= 1
                    return fault
        return None

    def count(self, pattern: str) -> int:
        """How many requests matched."""
        return sum(bool(re.search(pattern, request)) for request in self.requests)

    def repo(self, repo_id: str, kind: str = "model") -> Repo:
        """A repository, for a test to look into."""
        return self.repos[kind, repo_id]

    def host(
        self,
        repo_id: str,
        files: Mapping[str, bytes],
        *,
        proposed: Mapping[str, bytes] | None = None,
    ) -> Repo:
        """A public model that somebody else has put here.

        Args:
            repo_id: Owner and name.
            files: Name and content of each.
            proposed: What an open pull request would add.
        """
        repo = self.repos["model", repo_id] = Repo("model", repo_id, False, {})
        repo.commit("initial commit", {".gitattributes": Blob(b"*.bin filter=lfs\n", lfs=False)})
        repo.commit("Upload files", repo.files | blobs(files))
        if proposed:
            repo.propose("Adding `safetensors` variant of this model", blobs(proposed))
        return repo

    def edit(self, repo_id: str, path: str, text: str, kind: str = "model") -> None:
        """What a person does on the Hub's page."""
        repo = self.repo(repo_id, kind)
        repo.commit("Update on the page", repo.files | {path: Blob(text.encode(), lfs=False)})


@contextmanager
def asked(hub: LoopbackHub, cache: Path) -> Iterator[None]:
    """What this process asks the Hub goes to this one, and what it fetches into ``cache``."""
    with pytest.MonkeyPatch.context() as patch:
        template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        for name, value in {
            "ENDPOINT": hub.url,
            "HUGGINGFACE_CO_URL_TEMPLATE": template,
            "HF_HUB_CACHE": str(cache),
        }.items():
            patch.setattr(f"huggingface_hub.constants.{name}", value)
        yield
