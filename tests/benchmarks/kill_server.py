"""``kill -9`` of the server under load.

``python -m tests.benchmarks.kill_server RUN DATA [TIMES]``

Eight clients ask without a pause; after a number of answers that is drawn anew for each turn the
server is killed, with requests under way. Every answer that a client has received has to be in the
log, and the log has to read. All turns write to the same log, as a server does that is started
again.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import threading
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

from gradio_client import Client

from hf_vft.records import ProductionLog
from tests.benchmarks.load_server import ask, start

CLIENTS = 8
ANSWERS = (5, 30)
"""Fewest and most that a turn waits for."""

PATIENCE = 180.0
"""Seconds that these may take."""


def main(run: str, data: str, times: int = 20) -> None:
    files = sorted(str(path) for path in Path(data).rglob("*.jpg"))[:64]
    answered: set[str] = set()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        for number in range(1, times + 1):
            got = turn(run, log, files, wanted=random.randint(*ANSWERS))
            answered |= got
            logged = set(ProductionLog(log).read()["request_id"])
            print(
                f"kill {number}: {len(got)} answers received, {len(answered)} in all, "
                f"{len(answered - logged)} of them not in the log of {len(logged)} rows",
                flush=True,
            )
            if answered - logged:
                sys.exit(1)


def turn(run: str, log: Path, files: list[str], *, wanted: int) -> set[str]:
    """Start the server, kill it once so many answers have come; the ids of those received."""
    server, url = start(run, log)
    got: list[str] = []
    enough = threading.Event()

    def load(i: int) -> None:
        draw = random.Random(i)
        try:
            client = Client(url, verbose=False)
            while True:
                got.append(ask(client, draw.choice(files))[0])
                if len(got) >= wanted:
                    enough.set()
        except Exception:  # noqa: BLE001  # the server is gone, as it is meant to be
            return

    threads = [threading.Thread(target=load, args=(i,), daemon=True) for i in range(CLIENTS)]
    for thread in threads:
        thread.start()
    came = enough.wait(PATIENCE)
    os.kill(server.pid, signal.SIGKILL)
    server.wait()
    with redirect_stderr(StringIO()):  # the clients tell at length that the server is gone
        for thread in threads:
            thread.join(timeout=20)
    if not came:
        sys.exit(f"only {len(got)} of {wanted} answers came within {PATIENCE:.0f} s.")
    return set(got)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
