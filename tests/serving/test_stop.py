from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable

import pytest

pytest.importorskip("gradio", reason="needs hf-vft[serve]")

from hf_vft.serving.launch import LEAVE_SECONDS, _end_process, _leave
from hf_vft.serving.limits import Limits


def _never_ends() -> None:
    _end_process(0.2)
    time.sleep(60)


def _leaves() -> None:
    threading.Thread(target=time.sleep, args=(60,)).start()
    _leave()


@pytest.mark.parametrize("work", [_never_ends, _leaves])
def test_a_process_that_does_not_come_to_its_end_is_ended(work: Callable[[], None]) -> None:
    child = multiprocessing.get_context("fork").Process(target=work)
    began = time.monotonic()
    child.start()
    child.join(30)
    assert child.exitcode == 0
    assert time.monotonic() - began < 30


def test_a_stopped_server_has_ended_within_ten_seconds() -> None:
    on_a_busy_machine = 2.5  # what it takes the system to end a process of a gigabyte
    assert Limits().stop_seconds + LEAVE_SECONDS + on_a_busy_machine < 10
