"""Writes docs/exposed-packages.md: `python -m tests.packaging.exposed_pins`.

Which packages read what strangers write or send, at which version of constraints.txt; what to look
up first when an advisory is out.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from hf_vft.utils.resources import PACKAGE

ROOT = PACKAGE.parent
PAGE = ROOT / "docs" / "exposed-packages.md"

EXPOSED = {
    "Images": {
        "pillow": "every image but the two kinds below",
        "simplejpeg": "JPEG files at reduced size, in training",
        "pillow-heif": "HEIC, with the extra `heic`",
        "pydicom": "DICOM, with the extra `dicom`",
        "numpy": "their values",
    },
    "Tables, annotations and archives": {
        "pyarrow": "Parquet and Arrow files, the production log",
        "pandas": "tables of labels and of the log",
        "datasets": "saved datasets, datasets of the Hub",
        "pyyaml": "recipes, policies, YOLO's data files, model cards",
        "protobuf": "TFRecord files",
        "fsspec": "the files behind datasets",
    },
    "Models": {
        "safetensors": "weights",
        "torch": "pickled weights, as tensors alone",
        "transformers": "configurations, processors",
        "timm": "configurations of timm's checkpoints",
        "peft": "adapters",
        "huggingface-hub": "whatever is fetched or pushed",
        "onnxruntime": "exported graphs, with the extra `onnx`",
        "onnx": "the same",
    },
    "The server": {
        "gradio": "the page, the API and the MCP tools",
        "gradio-client": "its files",
        "starlette": "requests, the gate before them",
        "fastapi": "the routes of Gradio",
        "uvicorn": "connections",
        "h11": "HTTP",
        "httptools": "HTTP",
        "websockets": "connections that stay open",
        "python-multipart": "uploads",
        "pydantic": "values of requests, recipes",
        "orjson": "JSON of requests",
        "mcp": "calls of agents",
        "sse-starlette": "answers to agents",
        "pyjwt": "tokens, behind `mcp`",
        "safehttpx": "addresses that Gradio would fetch",
    },
    "Pages and messages": {
        "jinja2": "the report and the model card",
        "markupsafe": "the same: what keeps markup inert",
        "evidently": "the monitor's page, with the extra `monitor`",
        "plotly": "its figures",
    },
    "Connections to elsewhere": {
        "requests": "HTTP",
        "httpx": "HTTP, to the Hub",
        "urllib3": "HTTP",
        "certifi": "which certificates are trusted",
        "cryptography": "TLS, signatures",
        "sqlalchemy": "the database that searches share",
    },
}
"""By what it handles: package, and what of strangers' it reads."""


def pins() -> dict[str, str]:
    """Version by package, as in constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def page(date: str) -> str:
    """The page, with the day that it was made on."""
    known = pins()
    lines = [
        "# Packages that read what strangers write or send",
        "",
        f"The versions of `constraints.txt` on {date}: what to look up first when an advisory is "
        "out. This is a list of versions; nobody has checked them against known vulnerabilities, "
        "which takes a network (`pip-audit -r constraints.txt`).",
        "",
        "Made by `python -m tests.packaging.exposed_pins`; a test fails while it is not current.",
        "",
        "| What it handles | Package | Version | What it reads |",
        "| --- | --- | --- | --- |",
    ]
    for kind, packages in EXPOSED.items():
        lines += [
            f"| {kind} | {name} | {known[name]} | {what} |" for name, what in packages.items()
        ]
    return "\n".join(lines) + "\n"


def date_of(text: str) -> str:
    """The day that a page was made on."""
    found = re.search(r"on (\d{4}-\d{2}-\d{2}):", text)
    return found[1] if found else ""


if __name__ == "__main__":
    PAGE.write_text(page(f"{datetime.now(UTC):%Y-%m-%d}"), encoding="utf-8")
