"""The endpoints over HTTP, through the client that people use."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

gradio_client = pytest.importorskip("gradio_client", reason="needs hf-vft[serve]")
pytest.importorskip("gradio", reason="needs hf-vft[serve]")

from gradio.route_utils import delete_files_created_by_app  # noqa: E402

from hf_vft.serving.launch import Server, serve  # noqa: E402
from hf_vft.serving.limits import Limits  # noqa: E402
from tests.data.zoo_files import REJECTED  # noqa: E402
from tests.serving import made  # noqa: E402
from tests.serving.asking import file, raw_call  # noqa: E402

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(fitted: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with serve(fitted, log=tmp_path_factory.mktemp("app") / "log") as server:
        yield server


@pytest.fixture(scope="module")
def client(served: Any) -> Any:
    return connected(served)


def connected(server: Server, **options: Any) -> Any:
    return gradio_client.Client(server.url, verbose=False, **options)


def some(images: Path, n: int) -> list[Any]:
    files = sorted(path for path in images.rglob("*") if path.suffix in (".jpg", ".png"))
    return [gradio_client.handle_file(str(file)) for file in files[:n]]


def test_the_endpoints_have_names_types_and_docs(client: Any) -> None:
    known = client.view_api(return_format="dict")["named_endpoints"]
    assert set(known) == {"/predict", "/explain", "/predict_batch", "/feedback"}
    for endpoint in known.values():
        assert endpoint["description"]
        assert all(p["python_type"]["type"] for p in endpoint["parameters"])


def test_predict_explain_feedback(client: Any, served: Any, images: Path) -> None:
    image = some(images, 1)[0]
    answer = client.predict(image, api_name="/predict")
    assert answer["label"] in served.service.labels
    assert isinstance(answer["sure"], bool)
    shown = client.predict(image, answer["label"], api_name="/explain")
    assert Path(shown if isinstance(shown, str) else shown["path"]).stat().st_size > 0
    truth = served.service.labels[0]
    assert truth in client.predict(answer["request_id"], truth, api_name="/feedback")
    log = served.service.log
    assert answer["request_id"] in set(log.read(columns=["request_id"])["request_id"])
    assert answer["request_id"] in set(log.read_labels()["request_id"])


def test_slices_are_checked_and_a_detector_is_served_by_the_same_app(
    client: Any, images: Path, tmp_path: Path
) -> None:
    with pytest.raises(gradio_client.exceptions.AppError, match="there is no column"):
        client.predict(some(images, 1)[0], {"lens": "wide"}, api_name="/predict")
    with serve(made.detector(tmp_path / "run").path, log=tmp_path / "log") as server:
        finder, log = connected(server), server.service.log
        image = some(images, 1)[0]
        answer = finder.predict(image, {"camera": "top"}, api_name="/predict")
        assert answer["objects"]
        assert log is not None
        assert set(log.read()["camera"]) == {"top"}
        assert finder.predict(image, None, api_name="/explain")
        assert len(finder.predict([image], api_name="/predict_batch")) == 1
        told = finder.predict(answer["request_id"], ["pit", "scratch"], api_name="/feedback")
        assert "pit, scratch" in told
        assert list(log.read_labels()["label"]) == ["pit|scratch"]


def test_many_files_and_a_zip_with_a_broken_one(client: Any, images: Path, tmp_path: Path) -> None:
    files = sorted(path for path in images.rglob("*") if path.suffix in (".jpg", ".png"))
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        for file in files[:3]:
            archive.write(file, file.name)
        archive.writestr("broken<b>.jpg", b"no image")
        archive.writestr("notes.txt", b"no image either")
    rows = client.predict(
        [gradio_client.handle_file(str(tmp_path / "some.zip")), *some(images, 1)],
        api_name="/predict_batch",
    )
    assert len(rows) == 6
    assert [row["file"] for row in rows if "error" in row] == ["broken<b>.jpg", "notes.txt"]


@pytest.mark.parametrize(
    "image", [p for p in REJECTED if not p.name.endswith("/")][:12], ids=lambda p: p.kind
)
def test_bad_images_are_refused_in_words(client: Any, image: Any, tmp_path: Path) -> None:
    path = tmp_path / image.name
    image.make(path)
    with pytest.raises(gradio_client.exceptions.AppError) as caught:
        client.predict(gradio_client.handle_file(str(path)), api_name="/predict")
    assert "Traceback" not in str(caught.value)
    assert str(path.parent) not in str(caught.value)


def test_files_of_the_server_cannot_be_asked_for(served: Any, fitted: Path) -> None:
    base = f"{served.url}gradio_api"
    secret = fitted / "recipe.yaml"
    payload = {"data": [{"path": str(secret), "meta": {"_type": "gradio.FileData"}}]}
    started = httpx.post(f"{base}/call/predict", json=payload)
    if started.status_code == 200:
        told = httpx.get(f"{base}/call/predict/{started.json()['event_id']}", timeout=60).text
        assert "event: error" in told
        assert "image" not in told or "seed" not in told
    assert httpx.get(f"{base}/file={secret}").status_code in (403, 404)


def test_no_more_callers_are_remembered_than_may_be(served: Any) -> None:
    sessions = served.app.state_holder
    for number in range(Limits().sessions + 20):
        assert sessions[f"caller {number}"]
    assert len(sessions.session_data) == Limits().sessions


def test_names_of_files_are_never_paths(served: Any, client: Any, images: Path) -> None:
    base, content = f"{served.url}gradio_api", next(images.rglob("*.jpg")).read_bytes()
    for name in ("../../etc/cron.d/x.jpg", "/etc/x.jpg", "a\\..\\b.jpg", "<img src=x>.jpg"):
        [kept] = httpx.post(f"{base}/upload", files={"files": (name, content)}).json()
        assert Path(kept).resolve().is_relative_to(Path(tempfile.gettempdir()).resolve())
        meta = {"_type": "gradio.FileData"}
        asked = {"data": [{"path": kept, "orig_name": name, "meta": meta}, None]}
        event = httpx.post(f"{base}/call/predict", json=asked).json()["event_id"]
        told = httpx.get(f"{base}/call/predict/{event}", timeout=60).text
        assert "event: complete" in told, told
    logged = list(served.service.log.read()["file"].iloc[-4:])
    assert all("/" not in name and "<" not in name for name in logged), logged


def test_a_zip_that_leads_out_is_refused(client: Any, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "out.zip", "w") as archive:
        archive.writestr("../../out.jpg", b"x")
    given = [gradio_client.handle_file(str(tmp_path / "out.zip"))]
    with pytest.raises(gradio_client.exceptions.AppError) as caught:
        client.predict(given, api_name="/predict_batch")
    assert "Traceback" not in str(caught.value)


def test_a_login_keeps_strangers_out(fitted: Path, images: Path) -> None:
    with serve(fitted, auth="plant:secret") as server:
        assert httpx.get(f"{server.url}config").status_code == 401
        assert httpx.post(f"{server.url}gradio_api/call/predict", json={}).status_code == 401
        assert httpx.get(f"{server.url}gradio_api/mcp/schema").status_code in (401, 404)
        with pytest.raises(ValueError, match="Could not login"):
            connected(server, auth=("plant", "guess"))
        known = connected(server, auth=("plant", "secret"))
        assert known.predict(some(images, 1)[0], api_name="/predict")["label"]


def test_a_caller_is_limited_also_behind_a_proxy_and_uploads_do_not_stay(
    fitted: Path, images: Path
) -> None:
    with serve(fitted, limits=Limits(per_minute=2), proxies=1) as server:
        image = some(images, 1)[0]
        hasty, other = (
            connected(server, headers={"X-Forwarded-For": f"192.0.2.{9 - i}, 203.0.113.{i}"})
            for i in range(2)
        )
        for _ in range(2):
            hasty.predict(image, api_name="/predict")
        with pytest.raises(httpx.HTTPStatusError, match="429"):  # before anything is on disk
            hasty.predict(image, api_name="/predict")
        kept = file(next(iter(server.app.upload_file_set)))
        hers = {"X-Forwarded-For": "198.51.100.7, 203.0.113.0"}  # written by her, and by the proxy
        assert "too many requests" in raw_call(server.url, "predict", kept, None, **hers)
        assert other.predict(image, api_name="/predict")["label"]
        assert server.app.delete_cache[1] == 60 * Limits().upload_minutes
        uploads = set(server.app.upload_file_set)
        assert uploads
        delete_files_created_by_app(server.app, age=0)  # as it does every few minutes
        assert not any(map(os.path.exists, uploads))
