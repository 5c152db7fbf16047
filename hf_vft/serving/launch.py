"""Starts the app: here, or on a Space where the log goes to a dataset on the Hub."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from hf_vft.errors import HubError, VftError
from hf_vft.run import RunDirectory
from hf_vft.serving.app import SWEEP, build_app, launch_options
from hf_vft.serving.caller_access import LOOPBACK, AccessPolicy
from hf_vft.serving.connections import IdleConnections, has_turned, unasked
from hf_vft.serving.decode_memory import return_freed_memory, trim_memory
from hf_vft.serving.file_access import upload_folder
from hf_vft.serving.gate import GateState
from hf_vft.serving.limits import MB, Limits
from hf_vft.serving.listening import is_listening, stop_listening
from hf_vft.serving.mcp import refuse_in_our_words, take_data
from hf_vft.serving.service import Service

LOG_REPO = "HF_VFT_LOG_REPO"
"""Environment variable: the dataset on the Hub that a Space sends its log to."""

AUTH = "HF_VFT_AUTH"
"""Environment variable: user:password that a visitor has to give."""

RATE = "HF_VFT_RATE"
"""Environment variable: requests a minute of each visitor of a Space."""

PROXIES = "HF_VFT_PROXIES"
"""Environment variable: proxies in front of a Space, whose X-Forwarded-For is believed."""

HUB = "https://huggingface.co"
"""Shows a Space in a frame."""

COMMIT_MINUTES = 5
REFUSE_SECONDS = 2
"""So long a server that stops may take to tell who still waits that it does."""

LEAVE_SECONDS = 4
"""So long a server that has finished its requests may take to leave."""

_QUIET = 0.5
_log = logging.getLogger(__name__)


class Server:
    """A run that is being served: ``with serve(run) as server``, or ``serve(run).wait()``.

    Attributes:
        app: The running ``gradio.Blocks``.
        service: What answers.
        url: Where it is reached from this machine.
    """

    def __init__(self, app: Any, service: Service, gate: GateState, sender: Any = None) -> None:
        self.app = app
        self.service = service
        self.url: str = app.local_url
        self._gate = gate
        self._sender = sender
        self._closed = threading.Event()
        threading.Thread(target=self._tidy, name="hf-vft-tidy", daemon=True).start()

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def wait(self, *, leave: bool = False) -> None:
        """Serve until Ctrl-C, or until the machine stops the process (SIGTERM); then close.

        For the main thread, which is where signals arrive. What has been asked by then is
        answered, for as long as `Limits.stop_seconds`; what is asked after it is refused.

        Args:
            leave: Whether the process ends with the server, as a command does. It is ended where
                it has not come to its end by itself `LEAVE_SECONDS` later, because a model is
                still at work: what it has answered is in the log.
        """

        def stop(number: int, frame: object) -> None:
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGTERM, stop)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            _log.info("Stopped.")
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is being stopped already
            if leave and self._sender is None:  # sending the log may take longer, and is worth it
                _end_process(self.service.limits.stop_seconds + LEAVE_SECONDS)
            self.close()
            signal.signal(signal.SIGTERM, before)
        if leave:
            _leave()

    def close(self) -> None:
        """Take no more requests, finish the log, and send the rest of it."""
        self._gate.stopping = True
        self._finish(self.service.limits.stop_seconds, lambda: self._gate.under_way)
        stop_listening(self.app.server)  # else there is always someone who has just connected
        self._gate.refuse()  # what is still under way is told so, rather than cut off
        self.service.refuse_waiting()
        self._finish(REFUSE_SECONDS, self._told)
        self._closed.set()
        self.app.server.config.timeout_graceful_shutdown = 1  # pages that are left open
        self.app.close(verbose=False)
        self.service.close()
        if self._sender is not None:
            try:
                self._sender.trigger().result()
            except Exception:  # noqa: BLE001  # whatever it is, the log is still on this disk
                _log.exception("The rest of the production log could not be sent to the Hub.")
            self._sender.stop()

    def _told(self) -> int:
        """How many have to be told yet that the server stops, or may come to be."""
        server = self.app.server
        return self._gate.under_way + unasked(server) + is_listening(server)

    def _finish(self, seconds: float, under_way: Callable[[], int]) -> None:
        """Wait until nothing has been under way for a moment, or so long."""
        quiet = time.monotonic()
        deadline = quiet + seconds
        while time.monotonic() < deadline and time.monotonic() - quiet < _QUIET:
            # On a busy machine requests wait for the loop, and are not counted until it has run.
            if not has_turned(self.app.server, _QUIET) or under_way():
                quiet = time.monotonic()
            time.sleep(_QUIET / 10)

    def _tidy(self) -> None:
        """Drop what callers have begun and left, until the server is closed."""
        limits = self.service.limits
        connections = IdleConnections(self.app.server, limits.idle_seconds)
        while not self._closed.wait(min(SWEEP, limits.idle_seconds)):
            trim_memory()
            connections.close_idle()
            upload_folder().remove_broken_off(2.0 * limits.idle_seconds, time.time())


def serve(
    run_path: str | Path,
    *,
    log: str | Path | None = None,
    host: str = "127.0.0.1",
    port: int | None = None,
    auth: str | None = None,
    limits: Limits = Limits(),  # noqa: B008  # frozen
    proxies: int = 0,
    origins: Sequence[str] = (),
    frames: Sequence[str] = (),
    keep_images: bool = False,
    embeddings: float = 1.0,
    roll_seconds: float = 60.0,
    examples: str | Path | None = None,
    reports: str | Path | None = None,
) -> Server:
    """Serve a run.

    Args:
        run_path: A finished run.
        log: Folder of the production log; None keeps none. With the environment variable
            ``HF_VFT_LOG_REPO`` it is also committed to that dataset on the Hub.
        host: Address to listen on.
        port: None takes a free one from 7860 on.
        auth: ``user:password``; default: the environment variable ``HF_VFT_AUTH``.
        limits: How much callers may ask.
        proxies: Proxies in front of the server, each of which appends to X-Forwarded-For the
            address that it was asked from; callers are told apart by what the outermost appended.
        origins: Other origins whose pages may ask, such as ``https://app.example.com``.
        frames: Other origins whose pages may show the app in a frame.
        keep_images: Whether images are kept beside the log.
        embeddings: Share of the images whose embedding is logged.
        roll_seconds: Time after which what was logged is Parquet that other tools read.
        examples: A folder of images to try.
        reports: Where ``hf-vft monitor --out`` writes; ``RUN/monitoring`` by default.

    Returns:
        The server, which answers by now.

    Raises:
        VftError: If the run cannot be served, or ``auth`` is not ``user:password``.
        HubError: If the log cannot be sent where the environment says.
    """
    login = _login(auth or os.environ.get(AUTH))
    log, examples, reports = (_path(path) for path in (log, examples, reports))
    return_freed_memory()  # before there are threads, which else have stores of their own
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    # Who asks is told by the gate; the server would believe whoever connects from this machine.
    os.environ.setdefault("FORWARDED_ALLOW_IPS", "")
    service = Service(
        RunDirectory.open(run_path),
        log=log,
        keep_images=keep_images,
        embeddings=embeddings,
        roll_seconds=roll_seconds,
        limits=limits,
    )
    sender = _sender(log)
    uploads, gate = upload_folder(), GateState(limits)
    policy = AccessPolicy(
        limits=limits,
        proxies=proxies,
        login=login is not None,
        local=host in LOOPBACK,
        origins=tuple(origins),
        frames=tuple(frames),
    )
    app = build_app(service, examples=examples, reports=reports, gate=gate)
    try:
        app.launch(
            server_name=host,
            server_port=port,
            prevent_thread_lock=True,
            quiet=True,
            **launch_options(policy, gate, uploads, login=login),
        )
    except OSError as error:
        raise VftError(f"port {port}: {error}; choose another --port.") from None
    if app.mcp_server:
        take_data(app, uploads, limits.file_mb * MB)
        refuse_in_our_words(app)
    return Server(app, service, gate, sender)


def serve_space(folder: Path) -> None:
    """The entry point for ``app.py`` of a Space: the run beside it, and the log to the Hub.

    The log is kept on the Space's disk, which is lost when it restarts; with the variable
    ``HF_VFT_LOG_REPO`` (``user/name`` of a dataset) and a secret ``HF_TOKEN`` it is committed
    there every five minutes, and when the Space is stopped.
    """
    examples = folder / "examples"
    serve(
        folder / "run",
        log=folder / "log",
        host="0.0.0.0",  # noqa: S104  # a Space is reached from outside
        port=int(os.environ.get("GRADIO_SERVER_PORT", "7860")),
        examples=examples if examples.is_dir() else None,
        limits=Limits(per_minute=int(os.environ.get(RATE, "120"))),
        proxies=int(os.environ.get(PROXIES, "1")),
        frames=(HUB,),
    ).wait(leave=True)


def _path(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)


def _sender(log: Path | None) -> Any:
    """Commits the log to a dataset in the background, where one is named.

    Raises:
        HubError: If the dataset is not there and cannot be made.
    """
    repo = os.environ.get(LOG_REPO)
    if not repo or log is None:
        return None
    from huggingface_hub import CommitScheduler
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    try:
        return CommitScheduler(
            repo_id=repo,
            repo_type="dataset",
            folder_path=log,
            private=True,
            every=COMMIT_MINUTES,
            ignore_patterns=["*.lock", "*.tmp"],
        )
    except (HTTPError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise HubError(f"{LOG_REPO}={repo}: the log cannot be sent there ({reason}).") from None


def _end_process(seconds: float) -> None:
    """End this process after so long, if it has not ended by then."""
    timer = threading.Timer(seconds, _leave)
    timer.daemon = True
    timer.start()


def _leave() -> None:
    """End this process without what Python does at its end.

    To collect what a model has left takes seconds, on a busy machine half a minute, in which no
    other thread runs; nothing of it is needed once the log is closed.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    upload_folder().leave()


def read_login(file: Path) -> str:
    """The ``user:password`` that a file holds: unlike an option, no list of processes shows it.

    Raises:
        VftError: If it cannot be read.
    """
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise VftError(f"--auth-file {file}: cannot be read.") from None


def _login(auth: str | None) -> tuple[str, str] | None:
    if not auth:
        return None
    user, colon, password = auth.partition(":")
    if not (user and colon and password):
        raise VftError("the login has to be user:password (--auth-file, HF_VFT_AUTH or --auth).")
    return user, password
