"""Every argument of every endpoint, with what a stranger may put there."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

pytest.importorskip("gradio", reason="needs hf-vft[serve]")

from hf_vft.serving.endpoints import FAILED
from hf_vft.serving.file_access import REFUSED, upload_folder
from hf_vft.serving.launch import Server, serve
from tests.made_images import encoded, made_image
from tests.serving import made
from tests.serving.asking import META, PATIENCE, file, raw_call, upload

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("hostile")
    with serve(made.detector(folder / "run").path, log=folder / "log") as running:
        yield running


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image of the server's disk that nobody has uploaded."""
    path = tmp_path_factory.mktemp("private") / "secret.png"
    Image.new("RGB", (64, 64), "red").save(path)
    return path


def forms(path: Path) -> dict[str, Any]:
    """The ways to name a file that is not an upload."""
    climbing = f"{upload_folder().path}/../../../../../../../..{path}"
    return {
        "as Gradio's client": file(path),
        "without meta": {"path": str(path)},
        "another meta": {"path": str(path), "meta": {"_type": "other"}},
        "no type": {"path": str(path), "meta": {}},
        "a stream": {**file(path), "is_stream": True},
        "as url": {"url": str(path), "meta": META},
        "url without meta": {"path": None, "url": str(path)},
        "file address": {"path": f"file://{path}"},
        "this server's address": {"path": f"http://127.0.0.1/gradio_api/file={path}"},
        "another host": {"path": "http://127.0.0.1:1/photo.png", "meta": META},
        "climbing": {"path": climbing},
        "climbing, with meta": file(climbing),
        "text": str(path),
        "name of NUL": {"path": f"{path}\0.png"},
        "number": 7,
        "list": [str(path)],
        "object": {"path": {"path": str(path)}},
        "deep": {"path": str(path), "meta": {"_type": {"_type": "gradio.FileData"}}},
        "upload folder": {"path": str(upload_folder().path)},
        "lock of the folder": {"path": str(upload_folder().path / ".in-use")},
    }


@pytest.mark.parametrize("form", sorted(forms(Path("/x"))))
@pytest.mark.parametrize("endpoint", ["predict", "explain", "predict_batch"])
def test_no_file_but_an_upload_is_opened_and_nothing_tells_whether_it_is_there(
    server: Server, secret: Path, endpoint: str, form: str
) -> None:
    there = forms(secret)[form]
    missing = forms(secret.with_name("missing.png"))[form]
    told = [
        raw_call(server.url, endpoint, [one] if endpoint == "predict_batch" else one, None)
        for one in (there, missing)
    ]
    assert told[0] == told[1]
    assert "event: error" in told[0], told[0]
    assert REFUSED in told[0], told[0]
    assert str(secret.parent) not in told[0]


def test_a_link_in_the_upload_folder_leads_nowhere(server: Server, secret: Path) -> None:
    link = upload_folder().path / "link.png"
    link.symlink_to(secret)
    try:
        assert REFUSED in raw_call(server.url, "predict", {"path": str(link)}, None)
    finally:
        link.unlink()


def test_a_file_in_any_other_argument_is_refused(server: Server, secret: Path) -> None:
    kept = file(upload(server.url, "a.png", encoded(made_image(0))))
    assert "event: complete" in raw_call(server.url, "predict", kept, None)
    for nested in (file(secret), {"camera": file(secret)}, {"camera": [file("http://[::1]/x")]}):
        assert REFUSED in raw_call(server.url, "predict", kept, nested)
    assert REFUSED in raw_call(server.url, "feedback", "0" * 32, [file(secret)])


BAD: dict[str, Any] = {
    "number": 1e308,
    "text": "../../etc/passwd",
    "markup": "<script>alert(1)</script>",
    "long": "x" * 100_000,
    "list": [[]],
    "object": {"__class__": "x"},
    "deep": [[[[[[[[[[{"a": [None]}]]]]]]]]]],
    "nothing": None,
    "NUL": "\0",
    "surrogate": "\ud800",
    "boolean": True,
}
"""What is put into arguments that take no file."""


@pytest.mark.parametrize("kind", sorted(BAD))
def test_bad_values_end_in_one_harmless_line(server: Server, kind: str) -> None:
    bad, url = BAD[kind], server.url
    kept = file(upload(url, "a.png", encoded(made_image(0))))
    told = [
        raw_call(url, "predict", kept, bad),
        raw_call(url, "explain", kept, bad),
        raw_call(url, "predict_batch", [kept], bad),
        raw_call(url, "predict_batch", bad, None),
        raw_call(url, "feedback", bad, "pit"),
        raw_call(url, "feedback", "0" * 32, bad),
        raw_call(url, "predict"),
        raw_call(url, "nosuch", bad),
    ]
    for text in told:
        assert "Traceback" not in text
        assert "site-packages" not in text
        assert "pydantic" not in text.lower()
        assert FAILED not in text, text
        assert "<script>" not in text
        answer = re.sub(r'"(path|url)": ?"[^"]*"', "", text)
        assert str(upload_folder().path) not in answer
        assert len(text) < 20_000


def test_errors_about_a_zip_do_not_say_where_it_lies(server: Server, tmp_path: Path) -> None:
    for name, members in (("a.zip", {"../x.png": b"x"}), ("b.zip", {"in.zip": b"x", "a.png": b""})):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for member, content in members.items():
                archive.writestr(member, content)
        kept = upload(server.url, name, (tmp_path / name).read_bytes())
        told = raw_call(server.url, "predict_batch", [file(kept)], None)
        assert name in told
        assert str(upload_folder().path) not in told
    kept = upload(server.url, "c.zip", b"no zip")
    told = raw_call(server.url, "predict_batch", [file(kept)], None)
    assert "c.zip" in told
    assert str(upload_folder().path) not in told


def test_functions_that_the_page_alone_calls_are_as_safe(
    server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    """Gradio takes them by their numbers from anybody, with whatever stands for an answer."""
    calls = [
        one for one in httpx.get(f"{server.url}config").json()["dependencies"] if one["backend_fn"]
    ]
    assert len(calls) > 8
    bad = [{"objects": 7}, {"scores": ["x"], "label": 7}, "\ud800", [[7]], 1e308]
    for call in calls:
        for number, value in enumerate(bad):
            who = f"{call['id']}-{number}"
            data = [None if i == 0 and len(call["inputs"]) > 1 else value for i in call["inputs"]]
            body = {"data": data, "fn_index": call["id"], "session_hash": who}
            asked = httpx.post(
                f"{server.url}gradio_api/queue/join",
                content=json.dumps(body),
                headers={"content-type": "application/json"},
                timeout=PATIENCE,
            )
            address = f"{server.url}gradio_api/queue/data?session_hash={who}"
            told = asked.text + httpx.get(address, timeout=PATIENCE).text
            assert "site-packages" not in told
            assert "Traceback" not in told
    assert "Traceback" not in capfd.readouterr().err
