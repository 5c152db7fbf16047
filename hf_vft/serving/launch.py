"""Starts the app: here, or on a Space where the log goes to a dataset on the Hub."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hf_vft.errors import VftError
from hf_vft.run import RunDirectory
from hf_vft.serving.app import build_app, launch_options
from hf_vft.serving.service import Service

LOG_REPO = "HF_VFT_LOG_REPO"
"""Environment variable: the dataset on the Hub that a Space sends its log to."""

AUTH = "HF_VFT_AUTH"
"""Environment variable: user:password that a visitor has to give."""


COMMIT_MINUTES = 5


def serve(
    run_path: str | Path,
    *,
    log: Path | None = None,
    host: str = "127.0.0.1",
    port: int | None = None,
    auth: str | None = None,
    per_minute: int = 0,
    keep_images: bool = False,
    examples: Path | None = None,
    reports: Path | None = None,
    block: bool = True,
) -> tuple[Any, Service]:
    """Serve a run.

    Args:
        run_path: A finished run.
        log: Folder of the production log; None keeps none.
        host: Address to listen on.
        port: None takes a free one from 7860 on.
        auth: ``user:password``; default: the environment variable ``HF_VFT_AUTH``.
        per_minute: Most pictures a minute of one caller; 0 is no limit.
        keep_images: Whether pictures are kept beside the log.
        examples: A folder of pictures to try.
        reports: Where ``hf-vft monitor --out`` writes; ``RUN/monitoring`` by default.
        block: Whether to wait until the server is stopped.

    Returns:
        The running app and its service.

    Raises:
        VftError: If the run cannot be served, or ``auth`` is not ``user:password``.
    """
    login = _login(auth or os.environ.get(AUTH))
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    service = Service(RunDirectory.open(run_path), log=log, keep_images=keep_images)
    scheduler = _send_log(log)
    app = build_app(service, examples=examples, reports=reports, per_minute=per_minute)
    try:
        app.launch(
            server_name=host,
            server_port=port,
            auth=login,
            prevent_thread_lock=True,
            quiet=True,
            **launch_options(),
        )
    except OSError as error:
        raise VftError(f"port {port}: {error}; choose another --port.") from None
    if block:
        try:
            app.block_thread()
        finally:
            service.close()
            if scheduler:
                scheduler.trigger().result()
    return app, service


def serve_space(folder: Path) -> None:
    """What ``app.py`` of a Space calls: the run beside it, and the log to the Hub.

    The log is kept on the Space's disk, which is lost when it restarts; with the variable
    ``HF_VFT_LOG_REPO`` (``user/name`` of a dataset) and a secret ``HF_TOKEN`` it is committed
    there every five minutes.
    """
    examples = folder / "examples"
    serve(
        folder / "run",
        log=folder / "log",
        host="0.0.0.0",  # noqa: S104  # a Space is reached from outside
        port=int(os.environ.get("GRADIO_SERVER_PORT", "7860")),
        examples=examples if examples.is_dir() else None,
        per_minute=int(os.environ.get("HF_VFT_RATE", "120")),
    )


def _send_log(log: Path | None) -> Any:
    """Commit the log to a dataset in the background, where one is named."""
    repo = os.environ.get(LOG_REPO)
    if not repo or log is None:
        return None
    from huggingface_hub import CommitScheduler

    return CommitScheduler(
        repo_id=repo, repo_type="dataset", folder_path=log, private=True, every=5
    )


def _login(auth: str | None) -> tuple[str, str] | None:
    if not auth:
        return None
    user, colon, password = auth.partition(":")
    if not (user and colon and password):
        raise VftError("--auth: write user:password.")
    return user, password
