"""The page in a real browser, as a visitor uses it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serving import made
from tests.serving.test_run_tables import verdict
from tests.spaces.browser import CHROMIUM, LOW_CONTRAST, WIDTH, answered, ask, browser, opened

pytest.importorskip("playwright", reason="needs the Python package playwright")
pytest.importorskip("gradio", reason="needs hf-vft[serve]")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine"),
]


@pytest.fixture(scope="module")
def served(fitted: Path, images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from hf_vft.serving.launch import serve

    folder = tmp_path_factory.mktemp("page")
    (folder / "examples").mkdir()
    for image in some(images, 2):
        shutil.copy(image, folder / "examples")
    verdict(folder / "reports", "retrain", age=60)
    with serve(
        fitted, log=folder / "log", examples=folder / "examples", reports=folder / "reports"
    ) as server:
        yield server


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as running:
        yield running


def some(images: Path, n: int) -> list[str]:
    found = [str(p) for p in sorted(images.rglob("*")) if p.suffix in (".jpg", ".png")]
    return found[:n]


def test_a_visitor_asks_sees_why_and_corrects(chromium: Any, served: Any, images: Path) -> None:
    service = served.service
    page = opened(chromium, served.url)
    ask(page, some(images, 1)[0])
    assert page.locator("#answer .vft-bar").count() == min(5, len(service.labels))
    truth = service.labels[1]
    page.locator("#truth").get_by_text(truth, exact=True).click()
    page.locator("#send").click()
    page.locator("#thanks").get_by_text(f"kept as {truth}").wait_for()
    assert truth in set(service.log.read_labels()["label"])
    page.get_by_role("tab", name="Monitoring").click()  # is up to date without a button
    page.locator("#figures").get_by_text("answers logged").wait_for()
    page.locator("#verdict").get_by_text("Now retrain.").wait_for()
    page.locator("#whole").click()
    page.locator("#report iframe").wait_for()
    page.context.close()


CAMERA_RUNS = """() => {
    const video = document.querySelector("#image video");
    return video && video.videoWidth > 0 && video.currentTime > 0;
}"""
"""There is something to be seen, and so to be taken: before that the button does nothing."""


def test_an_example_and_the_camera_are_answered_and_taken_away_without_a_word(
    chromium: Any, served: Any
) -> None:
    page = opened(chromium, served.url)
    page.locator(".gallery-item").first.click()
    answered(page)
    page.wait_for_timeout(2000)  # as long as somebody needs to read the answer
    page.get_by_label("Remove Image").click()
    page.locator("#answer .vft-card.idle").wait_for()
    page.locator("#heat").wait_for(state="hidden")
    page.get_by_label("Capture from camera").click()
    page.get_by_text("Click to Access Webcam").click()
    page.wait_for_function(CAMERA_RUNS)
    page.get_by_label("capture photo").click()
    answered(page)
    assert page.locator(".toast-body").count() == 0
    page.context.close()


def test_a_slider_shows_more_or_fewer_boxes_by_keyboard_too(
    chromium: Any, images: Path, tmp_path: Path
) -> None:
    from hf_vft.serving.launch import serve

    with serve(made.detector(tmp_path / "run").path, log=tmp_path / "log") as server:
        page = opened(chromium, server.url)
        ask(page, some(images, 1)[0])
        page.locator("#threshold input[type=range]").focus()
        page.keyboard.press("End")
        page.locator("#answer").get_by_text("Nothing found").wait_for()
        page.keyboard.press("Home")
        page.locator("#answer .vft-bar").first.wait_for()
        assert "<b>stain</b>" in page.locator("#truth").inner_text()
        assert page.locator("#truth b").count() == 0
        page.context.close()


def test_many_images_become_a_table(
    chromium: Any, served: Any, images: Path, tmp_path: Path
) -> None:
    page = opened(chromium, served.url)
    page.get_by_role("tab", name="Batch").click()
    hostile = tmp_path / "<img src=x onerror=alert(1)>.jpg"
    shutil.copy(some(images, 1)[0], hostile)
    page.locator("#files input[type=file]").set_input_files([*some(images, 3), str(hostile)])
    page.wait_for_timeout(1000)
    page.locator("#start").click()
    page.locator("#csv a").first.wait_for()
    assert Path(some(images, 1)[0]).name in page.locator("#rows").inner_text()
    assert page.locator("#rows img").count() == 0
    page.context.close()


def test_a_broken_file_is_told_in_words(chromium: Any, served: Any, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    page = opened(chromium, served.url)
    page.locator("#image input[type=file]").set_input_files(str(tmp_path / "broken.png"))
    page.get_by_text("not an image that Pillow can read").first.wait_for()
    page.context.close()


@pytest.mark.parametrize("dark", [False, True])
def test_nothing_sticks_out_on_a_phone(
    chromium: Any, served: Any, images: Path, dark: bool
) -> None:
    page = opened(chromium, served.url, width=390, dark=dark)
    ask(page, some(images, 1)[0])
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("#heat img").get_attribute("alt")
    page.context.close()


@pytest.mark.parametrize("dark", [False, True])
def test_every_tab_has_one_width_and_words_that_can_be_read(
    chromium: Any, served: Any, images: Path, dark: bool
) -> None:
    page = opened(chromium, served.url, dark=dark)
    assert page.title().endswith("· hf-vft")
    page.locator("#explain").wait_for(state="hidden")
    widths = [page.evaluate(WIDTH)]
    assert page.evaluate(LOW_CONTRAST) == []
    ask(page, some(images, 1)[0])
    page.locator("#explain").wait_for()
    assert page.locator("#truth input:checked").count() == 0
    assert page.evaluate(LOW_CONTRAST) == []
    for name in ("Batch", "Model", "Monitoring"):
        page.get_by_role("tab", name=name).click()
        page.wait_for_timeout(500)
        widths.append(page.evaluate(WIDTH))
        assert page.evaluate(LOW_CONTRAST) == []
    assert len(set(widths)) == 1
    page.context.close()
