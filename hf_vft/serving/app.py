"""The page and the endpoints, in Gradio."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hf_vft.serving import page, tabs
from hf_vft.serving.arguments import checked_blocks
from hf_vft.serving.caller_access import AccessPolicy
from hf_vft.serving.endpoints import Endpoints
from hf_vft.serving.file_access import UploadFolder, upload_folder
from hf_vft.serving.gate import Gate, GateState
from hf_vft.serving.limits import MB
from hf_vft.serving.predict_tab import predict_tab
from hf_vft.serving.service import Service
from hf_vft.utils.imports import require_package

SWEEP = 60
"""Seconds after which what Gradio keeps on disk is looked through again."""


def build_app(
    service: Service,
    *,
    title: str | None = None,
    examples: Path | None = None,
    reports: Path | None = None,
    gate: GateState | None = None,
) -> Any:
    """The app of a service; `hf_vft.serving.launch.serve` launches it.

    Args:
        service: What answers.
        title: Heading; the run's name by default.
        examples: A folder of images to try.
        reports: Where ``hf-vft monitor --out`` writes, or a folder above; the newest is shown.
        gate: What stands in front of it, and knows who asks.

    Returns:
        ``gradio.Blocks`` with the endpoints ``/predict``, ``/explain``, ``/predict_batch`` and
        ``/feedback``.

    Raises:
        MissingDependencyError: If Gradio is not installed.
    """
    gr: Any = require_package("gradio", "serve")
    limits, uploads = service.limits, upload_folder()
    calls = Endpoints(gr, service, uploads, gate or GateState(limits)).functions()
    name = title or service.run.path.resolve().name
    with checked_blocks(gr, uploads)(
        title=f"{name} · hf-vft",
        analytics_enabled=False,
        delete_cache=(SWEEP, 60 * limits.upload_minutes),
    ) as app:
        what = "Distinguishes" if service.abstention else "Finds"
        gr.HTML(page.head(name, f"{what} {_listed(service.labels)}."), padding=False)
        # A phone wraps the tabs onto a second row; a menu would hide them.
        with gr.Tabs(overflow_behavior="wrap"):
            with gr.Tab("Predict", id="predict"):
                predict_tab(gr, service, calls, examples)
            with gr.Tab("Batch", id="batch"):
                tabs.batch_tab(gr, service, calls)
            with gr.Tab("Model", id="model"):
                tabs.model_tab(gr, service.run)
            with gr.Tab("Monitoring", id="monitoring") as tab:
                place = reports or service.run.path / "monitoring"
                tabs.monitoring_tab(gr, app, tab, service, place)
    app.queue(default_concurrency_limit=limits.images_at_a_time, max_size=limits.waiting_requests)
    return app


def launch_options(
    policy: AccessPolicy,
    gate: GateState,
    uploads: UploadFolder,
    *,
    login: tuple[str, str] | None = None,
) -> dict[str, Any]:
    """Options for launching the app.

    Args:
        policy: Who may ask, and from where.
        gate: What the gate remembers.
        uploads: Where uploads are kept.
        login: User and password. There are no MCP tools then: Gradio would name them, and with
            them the labels, to everybody, and could call them for nobody.
    """
    gr: Any = require_package("gradio", "serve")
    from starlette.middleware import Middleware

    return {
        "theme": readable(gr),
        "css": page.CSS,
        # Of each Gradio keeps 80 kB, by itself of ten thousand: every call of a program is one.
        "state_session_capacity": policy.limits.sessions,
        "max_file_size": policy.limits.upload_mb * MB,
        "auth": login,
        "mcp_server": login is None,
        # What is meant for callers comes as a gr.Error; what a library says stays in our log.
        "show_error": False,
        "app_kwargs": {
            "middleware": [Middleware(Gate, policy=policy, uploads=uploads, state=gate)]
        },
        "run_history": False,
        "footer_links": ["api"],
        "ssr_mode": False,
    }


def readable(gr: Any) -> Any:
    """The theme of the page: its secondary text has a contrast of 4.5 : 1 at least (WCAG AA)."""
    theme = gr.themes.Soft(
        primary_hue="indigo", neutral_hue="slate", font=["system-ui", "sans-serif"]
    )
    return theme.set(
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        input_placeholder_color="*neutral_600",
        input_placeholder_color_dark="*neutral_300",
        block_label_text_color="*primary_700",
        block_title_text_color="*primary_700",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
    )


def _listed(labels: list[str]) -> str:
    shown = ", ".join(labels[:8])
    return f"{shown} and {len(labels) - 8} more" if len(labels) > 8 else shown
