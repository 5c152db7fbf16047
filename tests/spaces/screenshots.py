"""Pictures of every tab for the documentation: ``python -m tests.spaces.screenshots RUN PICTURES``.

Only ever of generated pictures.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from hf_vft.serving.launch import serve
from tests.spaces.browser import ask, browser, opened

DOCS = Path(__file__).parents[2] / "docs"


def main(run: str, pictures: str, out: Path = DOCS) -> None:
    out.mkdir(exist_ok=True)
    files = sorted(str(path) for path in Path(pictures).rglob("*.jpg"))[:24]
    with tempfile.TemporaryDirectory() as folder:
        app, service = serve(run, log=Path(folder) / "log", block=False)
        answers = [service.predict(file) for file in files]
        for answer in answers[:9]:
            service.feedback(answer.request_id, answer.scores[0][0])
        shown = next(
            (f for f, a in zip(files, answers, strict=True) if a.sure and a.scores[0][0] != "ok"),
            files[0],
        )
        doubtful = next((f for f, a in zip(files, answers, strict=True) if not a.sure), files[1])
        with browser() as running:
            page = opened(running, app.local_url)
            ask(page, shown)
            page.wait_for_timeout(1500)
            page.screenshot(path=out / "predict.png")
            page.get_by_role("tab", name="Batch").click()
            page.locator("#files input[type=file]").set_input_files(files[:6])
            page.wait_for_timeout(2000)
            page.locator("#start").click()
            page.locator("#csv a").first.wait_for()
            page.wait_for_timeout(1000)
            page.screenshot(path=out / "batch.png")
            for tab in ("Model", "Monitoring"):
                page.get_by_role("tab", name=tab).click()
                page.wait_for_timeout(4000)
                page.screenshot(path=out / f"{tab.lower()}.png")
            phone = opened(running, app.local_url, width=390, dark=True)
            ask(phone, doubtful)
            phone.wait_for_timeout(1500)
            phone.screenshot(path=out / "phone-dark.png", full_page=True)
        app.close()
        service.close()


if __name__ == "__main__":
    main(*sys.argv[1:3])
