"""Several processes for one command, and one voice where it fails in all of them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import NoReturn

from hf_vft.errors import RunError
from hf_vft.utils.cores import limit_threads

GRACE = 5.0
"""Seconds that a process has to end by itself, and that others wait before they complain."""


def launch(processes: int, words: Sequence[str]) -> int:
    """Run ``hf-vft`` with these words in so many processes of this machine.

    A failure in one of them ends all of them.

    Returns:
        The exit status: that of the first to fail.

    Raises:
        RunError: If there are GPUs, but not enough of them.
    """
    shared = _environment(processes)
    command = [sys.executable, "-m", "hf_vft", *words]
    ranks = [shared | {"RANK": str(i), "LOCAL_RANK": str(i)} for i in range(processes)]
    children = [subprocess.Popen(command, env={**os.environ, **rank}) for rank in ranks]
    try:
        return _wait(children)
    except KeyboardInterrupt:
        # The terminal has told the children too.
        return next((code for code in [child.wait() for child in children] if code), 0)
    finally:
        _end(children)


def is_first() -> bool:
    """Whether this process is the one of its command that speaks."""
    return int(os.environ.get("RANK", "0")) == 0


def let_others_speak(*, own_mistake: bool) -> None:
    """Wait before complaining, while a launcher may be about to end this process.

    Processes that fail for the same reason say so once, through the first of them; and one
    that has only lost its peers is gone before it could say that.

    Args:
        own_mistake: Whether what failed is known to have its cause in this process.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not (own_mistake and is_first()):
        time.sleep(GRACE)


def end(status: int) -> NoReturn:
    """Exit; one of several at once, since its peers may keep a graceful end waiting forever."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


def _environment(processes: int) -> dict[str, str]:
    """What torch and Accelerate read; the same for all processes."""
    import torch

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    shared = {
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        # Torch warns in every process of what the Trainer sets on purpose.
        "TORCH_CPP_LOG_LEVEL": os.environ.get("TORCH_CPP_LOG_LEVEL", "ERROR"),
    }
    gpus = torch.cuda.device_count()
    if gpus == 0:
        limit_threads(processes)
        return shared | {"ACCELERATE_USE_CPU": "true"}
    if gpus < processes:
        raise RunError(
            f"--num-processes {processes}: this machine has {gpus} GPUs, and each process needs "
            "one of its own."
        )
    return shared


def _wait(children: Sequence[subprocess.Popen[bytes]]) -> int:
    """Until all are done or one has failed."""
    while True:
        codes = [child.poll() for child in children]
        failed = [code for code in codes if code]
        if failed:
            return failed[0]
        if None not in codes:
            return 0
        time.sleep(0.05)


def _end(children: Sequence[subprocess.Popen[bytes]]) -> None:
    for child in children:
        if child.poll() is None:
            child.terminate()
    for child in children:
        try:
            child.wait(timeout=GRACE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
