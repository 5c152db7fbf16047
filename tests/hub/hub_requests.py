"""How a Hub answers each request of its client: routes, rights, uploads, downloads."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

from tests.hub.hosted import BINARY, Blob, Repo

if TYPE_CHECKING:
    from tests.hub.loopback import LoopbackHub

KINDS = {"models": "model", "datasets": "dataset", "spaces": "space"}
WRITE, READ, STRANGER = "hf_" + "w" * 34, "hf_" + "r" * 34, "hf_" + "s" * 34
USERS = {WRITE: ("maker", "write"), READ: ("maker", "read"), STRANGER: ("stranger", "write")}


@dataclass
class Fault:
    """What goes wrong, how often, at which requests."""

    pattern: str
    status: int | None
    message: str
    times: int
    headers: dict[str, str]
    after: bool


class Handler(BaseHTTPRequestHandler):
    """One request: what is to go wrong with it, who asks, what is answered."""

    hub: LoopbackHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *words: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self._serve()

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815  # http.server's names

    def _serve(self) -> None:
        url = urlsplit(self.path)
        self.where, self.query = unquote(url.path), parse_qs(url.query)
        self.body = self._read()
        request = f"{self.command} {self.where}"
        self.hub.requests.append(request)
        fault = self.hub.fault(request)
        if fault and not fault.after:
            return self._break(fault)
        with self._answers(lost=bool(fault)):
            self._route()
        if fault:
            self._break(fault)

    @contextmanager
    def _answers(self, *, lost: bool) -> Iterator[None]:
        self._lost = lost
        with self.hub.lock:
            yield

    def _read(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _break(self, fault: Fault) -> None:
        if fault.status is None:
            self.close_connection = True
            self.connection.close()
        else:
            self._lost = False
            self.refuse(fault.status, fault.message, **fault.headers)

    # Answers

    def send(self, status: int, body: bytes, kind: str, **headers: str) -> None:
        if self._lost:
            return
        self.send_response(status)
        for name, value in {"Content-Type": kind, **headers}.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def tell(self, value: Any, status: int = 200, **headers: str) -> None:
        self.send(status, json.dumps(value).encode(), "application/json", **headers)

    def refuse(self, status: int, message: str, **headers: str) -> None:
        self.tell({"error": message}, status, **{"X-Error-Message": message, **headers})

    # Who asks

    def user(self) -> tuple[str, str] | None:
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        return USERS.get(token)

    def may_write(self, repo_id: str) -> bool:
        user = self.user()
        if user is None:
            self.refuse(401, "Invalid credentials in Authorization header")
        elif user[1] != "write" or user[0] != repo_id.partition("/")[0]:
            self.refuse(403, "You don't have the rights to write here")
        else:
            return True
        return False

    def find(self, plural: str, repo_id: str) -> Repo | None:
        """The repository, where it is there and may be read; else it is refused."""
        repo = self.hub.repos.get((KINDS[plural], repo_id))
        user = self.user()
        hidden = repo and repo.private and (user is None or user[0] != repo_id.partition("/")[0])
        if repo is None or hidden:
            code = 401 if user is None else 404
            self.refuse(code, "Repository not found", **{"X-Error-Code": "RepoNotFound"})
            return None
        return repo

    # What is asked

    def _route(self) -> None:
        for pattern, method in ROUTES:
            if found := re.fullmatch(pattern, f"{self.command} {self.where}"):
                return getattr(self, method)(**found.groupdict())
        self.refuse(404, f"no such page: {self.where}")

    def whoami(self) -> None:
        user = self.user()
        if user is None:
            return self.refuse(401, "Invalid credentials in Authorization header")
        token = {"displayName": "test", "role": user[1]}
        self.tell({"type": "user", "name": user[0], "orgs": [], "auth": {"accessToken": token}})

    def create(self) -> None:
        asked = json.loads(self.body)
        user, kind = self.user(), asked.get("type", "model")
        repo_id = f"{asked.get('organization') or (user or ('?',))[0]}/{asked['name']}"
        if not self.may_write(repo_id):
            return
        prefix = "" if kind == "model" else f"{kind}s/"
        url = {"url": f"{self.hub.url}/{prefix}{repo_id}"}
        if (kind, repo_id) in self.hub.repos:
            message = "You already created this repo"
            return self.tell(url | {"error": message}, 409, **{"X-Error-Message": message})
        private = asked.get("visibility") == "private"
        repo = self.hub.repos[kind, repo_id] = Repo(kind, repo_id, private, asked)
        repo.commit("initial commit", {".gitattributes": Blob(b"", lfs=False)})
        self.tell(url)

    def validate(self) -> None:
        text = json.loads(self.body)["content"]
        found = re.match(r"---\n(.*?)\n---", text, re.S)
        try:
            metadata = yaml.safe_load(found[1]) if found else {}
        except yaml.YAMLError as error:
            return self.tell({"errors": [{"message": str(error)}], "warnings": []}, 400)
        if not isinstance(metadata, dict):
            return self.tell({"errors": [{"message": "no mapping"}], "warnings": []}, 400)
        self.tell({"errors": [], "warnings": []})

    def preupload(self, plural: str, repo_id: str, revision: str) -> None:
        if not self.may_write(repo_id) or not (repo := self.find(plural, repo_id)):
            return
        answers = []
        for file in json.loads(self.body)["files"]:
            present = repo.files.get(file["path"])
            mode = "lfs" if file["path"].endswith(BINARY) or file["size"] > 10 << 20 else "regular"
            oid = present and (present.sha256 if present.lfs else present.oid)
            answers.append(
                {"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid}
            )
        self.tell({"files": answers})

    def batch(self, repo_id: str, prefix: str | None = None) -> None:
        if not self.may_write(repo_id):
            return
        objects: list[dict[str, Any]] = []
        for item in json.loads(self.body)["objects"]:
            answer = {"oid": item["oid"], "size": item["size"]}
            if item["oid"] not in self.hub.stored:
                where = f"{self.hub.url}/lfs/{item['oid']}"
                answer["actions"] = {"upload": {"href": where, "header": {}}}
            objects.append(answer)
        self.tell({"transfer": "basic", "objects": objects})

    def store(self, oid: str) -> None:
        if hashlib.sha256(self.body).hexdigest() != oid:
            return self.refuse(400, "the content is not what was announced")
        self.hub.stored[oid] = self.body
        self.tell({})

    def fetch(self, oid: str) -> None:
        self.send(200, self.hub.stored[oid], "application/octet-stream", ETag=f'"{oid}"')

    def commit(self, plural: str, repo_id: str, revision: str) -> None:
        if not self.may_write(repo_id) or not (repo := self.find(plural, repo_id)):
            return
        header, *operations = (json.loads(line) for line in self.body.splitlines() if line)
        parent = header["value"].get("parentCommit")
        if parent and parent != repo.commits[-1].oid:
            return self.refuse(412, "A commit has happened since. Please refresh and try again.")
        files = dict(repo.files)
        for operation in operations:
            value = operation["value"]
            if operation["key"] == "file":
                content = base64.b64decode(value["content"])
                files[value["path"]] = Blob(content, lfs=False)
            elif operation["key"] == "lfsFile":
                if value["oid"] not in self.hub.stored:
                    return self.refuse(400, f"{value['path']} was never uploaded")
                files[value["path"]] = Blob(self.hub.stored[value["oid"]], lfs=True)
            elif operation["key"] == "deletedFile":
                files.pop(value["path"])
            else:
                inside = value["path"].rstrip("/") + "/"
                files = {name: blob for name, blob in files.items() if not name.startswith(inside)}
        made = repo.commit(header["value"]["summary"], files)
        page = f"{self.hub.url}/{'' if plural == 'models' else f'{plural}/'}{repo_id}"
        self.tell(
            {"success": True, "commitOid": made.oid, "commitUrl": f"{page}/commit/{made.oid}"}
        )

    def info(self, plural: str, repo_id: str, revision: str = "main") -> None:
        if not (repo := self.find(plural, repo_id)):
            return
        if not (commit := repo.at(revision)):
            return self.refuse(404, "no such revision", **{"X-Error-Code": "RevisionNotFound"})
        siblings = [{"rfilename": path} for path in sorted(commit.files)]
        self.tell(
            {
                "id": repo_id,
                "_id": "0" * 24,
                "sha": commit.oid,
                "private": repo.private,
                "siblings": siblings,
                "tags": [],
                "downloads": 0,
                "likes": 0,
            }
        )

    def tree(self, plural: str, repo_id: str, revision: str, path: str | None = None) -> None:
        if not (repo := self.find(plural, repo_id)):
            return
        commit, inside = repo.at(revision), f"{path.strip('/')}/" if path else ""
        names = [name for name in sorted(commit.files if commit else {}) if name.startswith(inside)]
        if not commit or (inside and not names):
            return self.refuse(404, "nothing there", **{"X-Error-Code": "EntryNotFound"})
        listed = [commit.files[name].info(name) for name in names]
        if self.query.get("recursive", ["false"])[0].lower() not in ("true", "1"):
            top = [item for item in listed if "/" not in item["path"][len(inside) :]]
            folders = {
                name[len(inside) :].split("/")[0] for name in names if "/" in name[len(inside) :]
            }
            listed = top + [
                {"type": "directory", "path": inside + name, "oid": "0" * 40, "size": 0}
                for name in sorted(folders)
            ]
        self.tell(listed)

    def paths(self, plural: str, repo_id: str, revision: str) -> None:
        if not (repo := self.find(plural, repo_id)):
            return
        kind = self.headers.get("Content-Type", "")
        asked = json.loads(self.body) if "json" in kind else parse_qs(self.body.decode())
        commit, found = repo.at(revision), []
        for path in asked.get("paths", []):
            if commit and path in commit.files:
                found.append(commit.files[path].info(path))
            elif commit and any(name.startswith(f"{path.rstrip('/')}/") for name in commit.files):
                found.append({"type": "directory", "path": path, "oid": "0" * 40, "size": 0})
        self.tell(found)

    def resolve(self, repo_id: str, revision: str, path: str, plural: str | None = None) -> None:
        if not (repo := self.find((plural or "models/").rstrip("/"), repo_id)):
            return
        commit = repo.at(revision)
        if not commit:
            return self.refuse(404, "no such revision", **{"X-Error-Code": "RevisionNotFound"})
        marks = {"X-Repo-Commit": commit.oid}
        if not (blob := commit.files.get(path)):
            return self.refuse(404, "no such file", **marks, **{"X-Error-Code": "EntryNotFound"})
        if blob.lfs:
            self.hub.stored.setdefault(blob.sha256, blob.content)
            marks |= {
                "X-Linked-Etag": f'"{blob.sha256}"',
                "X-Linked-Size": str(len(blob.content)),
                "Location": f"{self.hub.storage}/lfs/{blob.sha256}",
            }
            return self.send(302, b"", "text/plain", **marks)
        size = {"Content-Length": str(len(blob.content))}
        self.send(200, blob.content, "text/plain", ETag=f'"{blob.oid}"', **marks, **size)


_REPO = r"(?P<plural>models|datasets|spaces)/(?P<repo_id>[^/]+/[^/]+)"
_REVISION = r"(?P<revision>refs/pr/\d+|[^/]+)"
ROUTES = [
    (r"GET /api/whoami-v2", "whoami"),
    (r"POST /api/repos/create", "create"),
    (r"POST /api/validate-yaml", "validate"),
    (rf"POST /api/{_REPO}/preupload/{_REVISION}", "preupload"),
    (rf"POST /api/{_REPO}/commit/{_REVISION}", "commit"),
    (
        r"POST /(?P<prefix>datasets/|spaces/)?(?P<repo_id>[^/]+/[^/]+)\.git/info/lfs/objects/batch",
        "batch",
    ),
    (r"PUT /lfs/(?P<oid>\w+)", "store"),
    (r"(GET|HEAD) /lfs/(?P<oid>\w+)", "fetch"),
    (rf"(GET|HEAD) /api/{_REPO}", "info"),
    (rf"(GET|HEAD) /api/{_REPO}/revision/{_REVISION}", "info"),
    (rf"GET /api/{_REPO}/tree/{_REVISION}(/(?P<path>.*))?", "tree"),
    (rf"POST /api/{_REPO}/paths-info/{_REVISION}", "paths"),
    (
        r"(GET|HEAD) /(?P<plural>datasets/|spaces/)?(?P<repo_id>[^/]+/[^/]+)"
        rf"/resolve/{_REVISION}/(?P<path>.+)",
        "resolve",
    ),
]
