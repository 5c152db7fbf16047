"""What a Hub keeps: files, commits, repositories with their pull requests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

BINARY = (
    ".safetensors", ".bin", ".h5", ".msgpack", ".onnx", ".parquet", ".png", ".zip", ".arrow",
)  # fmt: skip


@dataclass(frozen=True)
class Blob:
    """A file of a commit."""

    content: bytes
    lfs: bool

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def oid(self) -> str:
        """As git names a file; the pointer's name would do for LFS, and is never compared."""
        head = f"blob {len(self.content)}\0".encode()
        return hashlib.sha1(head + self.content).hexdigest()

    def info(self, path: str) -> dict[str, Any]:
        """As the tree lists it."""
        told = {"type": "file", "path": path, "size": len(self.content), "oid": self.oid}
        if self.lfs:
            told["lfs"] = {"oid": self.sha256, "size": len(self.content), "pointerSize": 130}
        return told


@dataclass
class Commit:
    """A state of a repository."""

    oid: str
    message: str
    files: dict[str, Blob]


@dataclass
class Repo:
    """A repository and its history, the newest commit last."""

    kind: str
    id: str
    private: bool
    created_with: dict[str, Any]
    commits: list[Commit] = field(default_factory=list)
    refs: dict[str, Commit] = field(default_factory=dict)
    """Pull requests, by ``refs/pr/1`` and so on."""

    @property
    def files(self) -> dict[str, Blob]:
        return self.commits[-1].files

    def at(self, revision: str) -> Commit | None:
        if revision in ("main", "HEAD"):
            return self.commits[-1]
        if revision in self.refs:
            return self.refs[revision]
        known = [*self.commits, *self.refs.values()]
        return next((c for c in known if c.oid == revision), None)

    def commit(self, message: str, files: dict[str, Blob]) -> Commit:
        oid = hashlib.sha1(f"{self.id}{len(self.commits)}{message}".encode()).hexdigest()
        self.commits.append(Commit(oid, message, files))
        return self.commits[-1]

    def propose(self, message: str, files: dict[str, Blob]) -> str:
        """Open a pull request that changes these files; its ref."""
        ref = f"refs/pr/{len(self.refs) + 1}"
        oid = hashlib.sha1(f"{self.id}{ref}{message}".encode()).hexdigest()
        self.refs[ref] = Commit(oid, message, self.files | files)
        return ref


def blobs(files: Mapping[str, bytes]) -> dict[str, Blob]:
    """Files as a commit holds them; the large kinds go by their SHA-256."""
    return {name: Blob(content, name.endswith(BINARY)) for name, content in files.items()}
