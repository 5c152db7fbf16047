"""The report in a real browser: nothing sticks out, on a wide screen and on a telephone."""

import html
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from hf_vft.reporting.report import render_report

from . import made

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine"),
]
LONG = "an_unreasonably_long_name_without_a_single_space_in_it_" * 3


def measured(page: str, width: int, tmp_path: Path) -> dict[str, int]:
    """Width of the page's content, and how many images and plots take up room."""
    frame = tmp_path / "frame.html"
    frame.write_text(
        f"""<iframe id="f" style="border:0;width:{width}px;height:9000px"
        srcdoc="{html.escape(page)}"></iframe><script>
        document.getElementById("f").onload = event => {{
          const page = event.target.contentDocument;
          const seen = tag => [...page.querySelectorAll(tag)]
            .filter(item => item.getBoundingClientRect().height > 5).length;
          const images = [...page.images].filter(item => item.naturalWidth > 0).length;
          document.body.innerHTML = `<b>width=${{page.documentElement.scrollWidth}} ` +
            `plots=${{seen("svg")}} images=${{images}} tables=${{seen("table")}}</b>`;
        }};</script>"""
    )
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--hide-scrollbars", "--disable-gpu",
        "--virtual-time-budget=5000",
        f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1400,900", "--dump-dom",
        frame.as_uri(),
    ]  # fmt: skip
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    found = re.search(r"<b>(.*?)</b>", answer.stdout)
    assert found, "the page was not loaded"
    return {key: int(number) for key, number in re.findall(r"(\w+)=(\d+)", found[1])}


@pytest.mark.parametrize("width", [1280, 420])
@pytest.mark.parametrize("labels", [made.LABELS, [LONG, "b"], [f"class {i}" for i in range(40)]])
def test_nothing_sticks_out_and_everything_is_drawn(tmp_path, labels, width):
    report = made.made_report(labels=labels, n_bootstrap=5)
    run = made.made_run(tmp_path / "run", report)
    page = render_report(run, mistakes=made.mistakes(6)).read_text()
    found = measured(page, width, tmp_path)
    assert found["width"] == width
    assert found["images"] == 6
    assert found["plots"] >= min(len(labels), 20) + 5
    assert found["tables"] >= 4
