"""What many callers share: passes of the model, answers that take work, and their patience."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

In = TypeVar("In")
Out = TypeVar("Out")


class Batcher(Generic[In, Out]):
    """One thread that works on whatever is waiting.

    A lone request does not wait for company: what arrives while the model is busy is the next
    batch. Only so much may wait: then whoever submits waits too, and memory stays bounded.

    Args:
        work: From a batch to as many results, in order.
        size: Most items of a batch; twice as many may wait.
    """

    def __init__(self, work: Callable[[Sequence[In]], Sequence[Out]], *, size: int = 16) -> None:
        self._work = work
        self._size = size
        self._waiting: queue.Queue[tuple[In, Future[Out]]] = queue.Queue(2 * size)
        threading.Thread(target=self._run, name="hf-vft-batcher", daemon=True).start()

    def submit(self, item: In) -> Future[Out]:
        """Have an item worked on; an error of the batch is the error of each of its items."""
        done: Future[Out] = Future()
        self._waiting.put((item, done))
        return done

    def _run(self) -> None:
        while True:
            batch = [self._waiting.get()]
            while len(batch) < self._size and not self._waiting.empty():
                batch.append(self._waiting.get())
            try:
                results = self._work([item for item, _ in batch])
                for (_, done), result in zip(batch, results, strict=True):
                    done.set_result(result)
            except Exception as error:  # noqa: BLE001  # told to whoever asked; the thread lives on
                for _, done in batch:
                    if not done.done():
                        done.set_exception(error)


class Lately(Generic[Out]):
    """The result of a call, kept for some seconds: many open pages do not each do the work.

    Args:
        call: What is asked again afterwards.
        seconds: How old an answer may be.
    """

    def __init__(self, call: Callable[[], Out], seconds: float) -> None:
        self._call = call
        self._seconds = seconds
        self._mutex = threading.Lock()
        self._found: tuple[float, Out] | None = None

    def __call__(self) -> Out:
        """The answer; whoever comes while it is being worked on waits for it."""
        with self._mutex:
            if self._found is None or time.monotonic() - self._found[0] > self._seconds:
                self._found = (time.monotonic(), self._call())
            return self._found[1]


class RateLimit:
    """So many requests a minute for each caller.

    Args:
        per_minute: 0 is no limit.
    """

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._seen: dict[str, list[float]] = {}
        self._mutex = threading.Lock()

    def below(self, caller: str) -> bool:
        """Whether one more would be allowed; nothing is counted."""
        with self._mutex:
            recent = self._recent(caller, time.monotonic())
        return not self.per_minute or len(recent) < self.per_minute

    def allows(self, caller: str, cost: int = 1) -> bool:
        """Count a request; False if it is one too many."""
        if not self.per_minute:
            return True
        now = time.monotonic()
        with self._mutex:
            recent = self._recent(caller, now)
            allowed = len(recent) + cost <= self.per_minute
            if allowed:
                recent += [now] * cost
            self._seen[caller] = recent
            if len(self._seen) > 10_000:
                self._seen = {k: v for k, v in self._seen.items() if v and now - v[-1] < 60}
        return allowed

    def _recent(self, caller: str, now: float) -> list[float]:
        return [moment for moment in self._seen.get(caller, []) if now - moment < 60]
