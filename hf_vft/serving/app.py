"""The page and the endpoints, in Gradio."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hf_vft.imports import require_package
from hf_vft.serving import page, tabs
from hf_vft.serving.batcher import RateLimit
from hf_vft.serving.endpoints import CONCURRENT, ZIP_BYTES, Endpoints
from hf_vft.serving.service import Service

KEPT_UPLOADS = (300, 3600)
"""Gradio keeps what is uploaded, and what is shown, on disk: it is looked through every so many
seconds, and what is older than so many goes."""


def build_app(
    service: Service,
    *,
    title: str | None = None,
    examples: Path | None = None,
    reports: Path | None = None,
    per_minute: int = 0,
    behind_proxy: bool = False,
) -> Any:
    """The app of a service; `hf_vft.serving.launch.serve` launches it.

    Args:
        service: What answers.
        title: Heading; the run's name by default.
        examples: A folder of pictures to try.
        reports: Where ``hf-vft monitor --out`` writes, or a folder above; the newest is shown.
        per_minute: Most requests a minute of one caller; 0 is no limit.
        behind_proxy: Whether callers are told apart by the X-Forwarded-For of a proxy.

    Returns:
        ``gradio.Blocks`` with the endpoints ``/predict``, ``/explain``, ``/predict_batch`` and
        ``/feedback``.

    Raises:
        MissingDependencyError: If Gradio is not installed.
    """
    gr: Any = require_package("gradio", "serve")
    limit = RateLimit(per_minute)
    calls = Endpoints(gr, service, limit, behind_proxy=behind_proxy).functions()
    name = title or service.run.path.resolve().name
    with gr.Blocks(
        title=f"{name} · hf-vft", analytics_enabled=False, delete_cache=KEPT_UPLOADS
    ) as app:
        what = "Tells apart" if service.abstention else "Finds"
        gr.HTML(page.head(name, f"{what} {_listed(service.labels)}."), padding=False)
        # A phone wraps the tabs onto a second row; a menu would hide them.
        with gr.Tabs(overflow_behavior="wrap"):
            with gr.Tab("Predict", id="predict"):
                tabs.predict_tab(gr, service, calls, examples)
            with gr.Tab("Batch", id="batch"):
                tabs.batch_tab(gr, service, calls)
            with gr.Tab("Model", id="model"):
                tabs.model_tab(gr, service.run)
            with gr.Tab("Monitoring", id="monitoring"):
                tabs.monitoring_tab(gr, app, service, reports or service.run.path / "monitoring")
    app.queue(default_concurrency_limit=CONCURRENT, max_size=1000)
    return app


def launch_options(*, login: tuple[str, str] | None = None) -> dict[str, Any]:
    """What the app is launched with.

    Args:
        login: User and password. There are no MCP tools then: Gradio would name them, and with
            them the labels, to everybody, and could call them for nobody.
    """
    gr: Any = require_package("gradio", "serve")
    return {
        "theme": gr.themes.Soft(
            primary_hue="indigo", neutral_hue="slate", font=["system-ui", "sans-serif"]
        ),
        "css": page.CSS,
        "max_file_size": ZIP_BYTES,
        "auth": login,
        "mcp_server": login is None,
        "show_error": True,
        "footer_links": ["api"],
        "ssr_mode": False,
    }


def _listed(labels: list[str]) -> str:
    shown = ", ".join(labels[:8])
    return f"{shown} and {len(labels) - 8} more" if len(labels) > 8 else shown
