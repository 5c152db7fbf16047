"""The system's Chromium, driven by Playwright; no browser is downloaded."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--use-fake-device-for-media-stream",  # a camera that shows a moving test image
    "--use-fake-ui-for-media-stream",
]
SLOW = 30_000
"""Milliseconds that anything may take on a busy machine."""


@contextmanager
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        try:
            yield running
        finally:
            running.close()


def opened(running: Any, url: str, *, width: int = 1280, dark: bool = False) -> Any:
    """The page, when it can be used."""
    context = running.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
    )
    page = context.new_page()
    page.set_default_timeout(SLOW)
    page.goto(f"{url}?__theme={'dark' if dark else 'light'}")
    page.locator("#image input[type=file]").wait_for(state="attached")
    return page


def ask(page: Any, image: str) -> None:
    """Upload an image and wait for the answer and its heat map."""
    page.locator("#image input[type=file]").set_input_files(image)
    answered(page)


def answered(page: Any) -> None:
    """Wait for the answer and the image beside it."""
    page.locator("#answer .vft-bar").first.wait_for()
    try:
        page.locator("#heat img").wait_for()
    except Exception as error:  # what the page says instead is what explains it
        raise AssertionError(page.locator("body").inner_text()) from error
