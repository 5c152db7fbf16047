"""Who waits for something slow while the server stops is told so; everybody else gets it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from hf_vft.errors import DataError
from hf_vft.serving.stoppable import STOPPING, Stoppable


def test_the_result_and_the_exception_are_those_of_the_work() -> None:
    stoppable = Stoppable()
    assert stoppable.result_of(lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        stoppable.result_of(lambda: 1 // 0)


def test_who_waits_and_who_comes_later_is_refused() -> None:
    stoppable, begun, never = Stoppable(), threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        never.wait()

    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(stoppable.result_of, slow)
        begun.wait()
        stoppable.stop()
        with pytest.raises(DataError, match=STOPPING):
            waiting.result()
    with pytest.raises(DataError, match=STOPPING):
        stoppable.result_of(never.wait)
    stoppable.stop()
    never.set()
