"""The site of docs/ builds strictly, and a reader's browser asks no other host for anything."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.spaces.browser import CHROMIUM, browser

ROOT = Path(__file__).parents[2]
LOADED = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)=[\"']?([^\"'\s>]+)")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (ROOT / "mkdocs.yml").is_file(), reason="needs a checkout"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; a broken link or anchor, or a page in no menu, fails the build."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", out]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_every_page_is_there(site: Path) -> None:
    pages = {path.relative_to(ROOT / "docs").with_suffix("") for path in docs()}
    assert pages == {path.relative_to(site).with_suffix("") for path in site.rglob("*.html")} - {
        Path("404")
    }


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    outside = {
        (page.name, address)
        for page in site.rglob("*.html")
        for address in LOADED.findall(page.read_text(encoding="utf-8"))
        if "//" in address
    }
    styles = {
        (sheet.name, address)
        for sheet in site.rglob("*.css")
        for address in re.findall(r"url\(\s*[\"']?(https?:)", sheet.read_text(encoding="utf-8"))
    }
    assert outside | styles == set()


def test_the_api_is_documented_from_its_docstrings(site: Path) -> None:
    page = (site / "reference" / "python.html").read_text(encoding="utf-8")
    for name in ("api.monitor", "serving.launch.serve", "training.trainer.VisionTrainer"):
        assert f'id="hf_vft.{name}"' in page
    assert "Say whether a model is still right" in page


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
def test_no_page_is_wider_than_its_window_or_asks_another_host(site: Path) -> None:
    pytest.importorskip("playwright", reason="needs the Python package playwright")
    asked: list[str] = []
    with browser() as running:
        for width in (390, 1400):
            page = running.new_context(viewport={"width": width, "height": 900}).new_page()
            page.on("request", lambda request: asked.append(request.url))
            wide = []
            for file in sorted(site.rglob("*.html")):
                page.goto(file.as_uri())
                if page.evaluate("document.documentElement.scrollWidth") > width:
                    wide.append(file.relative_to(site).as_posix())
            assert wide == [], f"at {width} pixels"
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def docs() -> list[Path]:
    return sorted((ROOT / "docs").rglob("*.md"))
