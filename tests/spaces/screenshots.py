"""Pictures of every tab: ``python -m tests.spaces.screenshots RUN PICTURES [OUT]``.

At phone, tablet and desktop width, light and dark, to be looked at; without OUT the few that the
documentation shows are written to ``docs/``. Only ever of generated pictures.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hf_vft.serving.launch import serve
from tests.spaces.browser import ask, browser, opened

DOCS = Path(__file__).parents[2] / "docs"
WIDTHS = {"phone": 390, "tablet": 820, "desktop": 1280}
SERVED = 24


def main(run: str, pictures: str, out: str | None = None) -> None:
    files = sorted(str(path) for path in Path(pictures).rglob("*.jpg"))[:SERVED]
    folder = Path(out) if out else DOCS
    folder.mkdir(parents=True, exist_ok=True)
    wanted = (
        [("desktop", False, ""), ("phone", True, "phone-")]
        if out is None
        else [(n, d, f"{n}-{'dark' if d else 'light'}-") for n in WIDTHS for d in (False, True)]
    )
    with tempfile.TemporaryDirectory() as scratch:
        server = serve(run, log=Path(scratch) / "log")
        service = server.service
        answers = [service.predict(file) for file in files]
        for answer in answers[:9]:
            service.feedback(answer.request_id, answer.scores[0][0])
        found = [f for f, a in zip(files, answers, strict=True) if a.labels and a.sure is not False]
        with browser() as running:
            for name, dark, prefix in wanted:
                page = opened(running, server.url, width=WIDTHS[name], dark=dark)
                shoot(page, folder, prefix, found[-1] if found else files[0], files)
                page.context.close()
        server.close()


def shoot(page: Any, out: Path, prefix: str, shown: str, files: list[str]) -> None:
    """The four tabs of one page."""
    ask(page, shown)
    page.wait_for_timeout(1500)
    page.screenshot(path=out / f"{prefix}predict.png", full_page=True)
    tab(page, "Batch")
    page.locator("#files input[type=file]").set_input_files(files[:6])
    page.wait_for_timeout(3000)
    page.locator("#start").click()
    page.locator("#csv a").first.wait_for()
    page.wait_for_timeout(1000)
    page.screenshot(path=out / f"{prefix}batch.png", full_page=True)
    for name in ("Model", "Monitoring"):
        tab(page, name)
        page.wait_for_timeout(4000)
        page.screenshot(path=out / f"{prefix}{name.lower()}.png", full_page=True)


def tab(page: Any, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


if __name__ == "__main__":
    main(*sys.argv[1:])
