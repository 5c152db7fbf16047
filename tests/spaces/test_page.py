"""The page in a real browser, as a visitor uses it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.spaces.browser import CHROMIUM, ask, browser, opened

pytest.importorskip("playwright", reason="needs the Python package playwright")
pytest.importorskip("gradio", reason="needs hf-vft[serve]")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine"),
]


@pytest.fixture(scope="module")
def served(fitted: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from hf_vft.serving.launch import serve

    with serve(fitted, log=tmp_path_factory.mktemp("page") / "log") as server:
        yield server


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as running:
        yield running


def some(pictures: Path, n: int) -> list[str]:
    found = [str(p) for p in sorted(pictures.rglob("*")) if p.suffix in (".jpg", ".png")]
    return found[:n]


def test_a_visitor_asks_sees_why_and_corrects(chromium: Any, served: Any, pictures: Path) -> None:
    service = served.service
    page = opened(chromium, served.url)
    ask(page, some(pictures, 1)[0])
    assert page.locator("#answer .vft-bar").count() == min(5, len(service.labels))
    truth = service.labels[1]
    page.locator("#truth").get_by_text(truth, exact=True).click()
    page.locator("#send").click()
    page.locator("#thanks").get_by_text(f"kept as {truth}").wait_for()
    assert truth in set(service.log.read_labels()["label"])
    page.get_by_role("tab", name="Monitoring").click()
    page.locator("#refresh").click()
    page.locator("#figures").get_by_text("answers logged").wait_for()
    page.context.close()


def test_many_pictures_become_a_table(chromium: Any, served: Any, pictures: Path) -> None:
    page = opened(chromium, served.url)
    page.get_by_role("tab", name="Batch").click()
    page.locator("#files input[type=file]").set_input_files(some(pictures, 3))
    page.wait_for_timeout(1000)
    page.locator("#start").click()
    page.locator("#csv a").first.wait_for()
    assert Path(some(pictures, 1)[0]).name in page.locator("#rows").inner_text()
    page.context.close()


def test_a_broken_file_is_told_in_words(chromium: Any, served: Any, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    page = opened(chromium, served.url)
    page.locator("#picture input[type=file]").set_input_files(str(tmp_path / "broken.png"))
    page.get_by_text("not an image that Pillow can read").first.wait_for()
    page.context.close()


@pytest.mark.parametrize("dark", [False, True])
def test_nothing_sticks_out_on_a_phone(
    chromium: Any, served: Any, pictures: Path, dark: bool
) -> None:
    page = opened(chromium, served.url, width=390, dark=dark)
    ask(page, some(pictures, 1)[0])
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("#heat img").get_attribute("alt")
    page.context.close()
