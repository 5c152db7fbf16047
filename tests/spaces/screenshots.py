"""Images of every tab: ``python -m tests.spaces.screenshots RUN IMAGES REPORTS [OUT]``.

At phone, tablet and desktop width, light and dark, to be looked at; without OUT those that the
documentation shows are written to ``docs/``. Only ever of generated images. REPORTS is what the
monitor wrote of a generated stream:

    hf-vft demo production STREAM --fault lighting --day 4 --days 10 --per-day 60
    hf-vft monitor RUN STREAM --out REPORTS
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hf_vft.run import RunDirectory
from hf_vft.serving.launch import serve
from hf_vft.serving.service import Service
from tests.spaces.browser import ask, browser, opened

DOCS = Path(__file__).parents[2] / "docs"
WIDTHS = {"phone": 390, "tablet": 820, "desktop": 1280}
TABS = ("monitoring", "predict", "batch", "model")
"""In this order, since what is asked on the others is in the figures of the first."""

SHOWN = 24


def main(run: str, images: str, reports: str, out: str | None = None) -> None:
    files = sorted(str(path) for path in Path(images).rglob("*.jpg"))[:SHOWN]
    shown = most_telling(run, files)
    folder = Path(out) if out else DOCS
    folder.mkdir(parents=True, exist_ok=True)
    if out is None:
        shoot(
            run,
            reports,
            shown,
            files,
            "desktop",
            False,
            {tab: folder / f"{tab}.png" for tab in TABS},
        )
        shoot(run, reports, shown, files, "phone", True, {"predict": folder / "phone.png"})
        return
    for width in WIDTHS:
        for dark in (False, True):
            name = f"{width}-{'dark' if dark else 'light'}"
            targets = {tab: folder / f"{name}-{tab}.png" for tab in TABS}
            shoot(run, reports, shown, files, width, dark, targets)


def most_telling(run: str, files: list[str]) -> str:
    """The image of which the model is surest that something is there."""
    service = Service(RunDirectory.open(run))
    answers = [service.predict(file) for file in files]
    defects = [i for i, answer in enumerate(answers) if answer.labels != ("ok",)]
    return files[max(defects or range(len(files)), key=lambda i: answers[i].scores[0][1])]


def shoot(
    run: str, reports: str, shown: str, files: list[str], width: str, dark: bool,
    targets: dict[str, Path],
) -> None:  # fmt: skip
    """The tabs that have a target, of a server whose log is that of the stream."""
    with tempfile.TemporaryDirectory() as scratch:
        log = shutil.copytree(Path(reports) / "log", Path(scratch) / "log")
        examples = Path(scratch) / "examples"
        examples.mkdir()
        for file in files[:4]:
            shutil.copy(file, examples)
        with (
            serve(run, log=log, reports=Path(reports), examples=examples) as server,
            browser() as running,
        ):
            page = opened(running, server.url, width=WIDTHS[width], dark=dark)
            for tab, target in targets.items():
                page.get_by_role("tab", name=tab.capitalize(), exact=True).click()
                fill(page, tab, shown, files)
                page.screenshot(path=target, full_page=True)


def fill(page: Any, tab: str, shown: str, files: list[str]) -> None:
    """Ask what the tab is for."""
    if tab == "predict":
        ask(page, shown)
    elif tab == "batch":
        page.locator("#files input[type=file]").set_input_files(files[:6])
        page.wait_for_timeout(3000)
        page.locator("#start").click()
        page.locator("#csv a").first.wait_for()
    page.wait_for_timeout(4000)


if __name__ == "__main__":
    main(*sys.argv[1:])
