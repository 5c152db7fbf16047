"""Work that is given up when the server stops: its caller is told so, rather than cut off."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from threading import Thread
from typing import Any, TypeVar

from hf_vft.errors import DataError

Result = TypeVar("Result")

STOPPING = "the server is being stopped."


class Stoppable:
    """Runs work that nothing depends on but its answer: an endpoint's."""

    def __init__(self) -> None:
        self._stopped: Future[None] = Future()

    def stop(self) -> None:
        """Refuse whoever waits, and whoever asks from now on; what was begun is dropped."""
        if not self._stopped.done():
            self._stopped.set_result(None)

    def check(self) -> None:
        """Go on only if the server does.

        Raises:
            DataError: If it is being stopped.
        """
        if self._stopped.done():
            raise DataError(STOPPING)

    def result_of(self, work: Callable[[], Result]) -> Result:
        """The result of ``work``, or its exception.

        Raises:
            DataError: If the server stops before there is one.
        """
        future: Future[Result] = Future()

        def run() -> None:
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001  # raised again where it is waited for
                future.set_exception(error)

        # A daemon: the process does not wait for what has been given up.
        Thread(target=run, name="hf-vft-stoppable", daemon=True).start()
        either: list[Future[Any]] = [future, self._stopped]
        wait(either, return_when=FIRST_COMPLETED)
        if not future.done():
            raise DataError(STOPPING)
        return future.result()
