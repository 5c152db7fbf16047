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

WIDTH = "document.querySelector('.tabs').getBoundingClientRect().width"

LOW_CONTRAST = """() => {
    const parts = (c) => { const m = c.match(/[\\d.]+/g).map(Number);
        return [m[0], m[1], m[2], m[3] === undefined ? 1 : m[3]]; };
    const linear = (v) => v / 255 <= 0.03928
        ? v / 255 / 12.92 : Math.pow((v / 255 + 0.055) / 1.055, 2.4);
    const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    const over = (a, b) => [0, 1, 2].map((i) => a[i] * a[3] + b[i] * (1 - a[3]));
    const behind = (element) => {
        const layers = [];
        for (let e = element; e; e = e.parentElement) {
            const colour = parts(getComputedStyle(e).backgroundColor);
            if (colour[3] > 0) layers.push(colour);
            if (colour[3] >= 1) break;
        }
        return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
    };
    const found = new Set();
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const text = walker.currentNode.textContent.trim();
        const element = walker.currentNode.parentElement;
        if (!text || element.closest("script, style, noscript, svg")) continue;
        const box = element.getBoundingClientRect();
        if (box.width < 2 || box.height < 2 || !element.checkVisibility()) continue;
        const style = getComputedStyle(element);
        const ground = behind(element);
        const pair = [over(parts(style.color), ground), ground].map(light);
        const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
        const size = parseFloat(style.fontSize);
        const large = size >= 24 || (size >= 18.66 && parseInt(style.fontWeight) >= 700);
        if (ratio < (large ? 3 : 4.5) - 0.005)
            found.add(`${text.slice(0, 40)} ${ratio.toFixed(2)}`);
    }
    return [...found];
}"""
"""What has less contrast than WCAG's AA asks for: the words, and how much they have."""


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
