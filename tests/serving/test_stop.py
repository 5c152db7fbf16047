from __future__ import annotations

import multiprocessing
import time

import pytest

pytest.importorskip("gradio", reason="needs hf-vft[serve]")

from hf_vft.serving.launch import LEAVE_SECONDS, _end_process
from hf_vft.serving.limits import Limits


def _never_ends() -> None:
    _end_process(0.2)
    time.sleep(60)


def test_a_process_that_does_not_come_to_its_end_is_ended() -> None:
    child = multiprocessing.get_context("fork").Process(target=_never_ends)
    began = time.monotonic()
    child.start()
    child.join(30)
    assert child.exitcode == 0
    assert time.monotonic() - began < 30


def test_a_stopped_server_has_ended_within_ten_seconds() -> None:
    assert Limits().stop_seconds + LEAVE_SECONDS < 10
