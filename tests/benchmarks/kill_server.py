"""``kill -9`` of the server under load.

``python -m tests.benchmarks.kill_server RUN DATA [TIMES]``

Every answer that a client has received has to be in the log, and the log has to read.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from gradio_client import Client

from hf_vft.records import ProductionLog
from tests.benchmarks.load_server import ask, start


def main(run: str, data: str, times: int = 20) -> None:
    files = sorted(str(path) for path in Path(data).rglob("*.jpg"))[:64]
    with tempfile.TemporaryDirectory() as folder:
        log, answered = Path(folder) / "log", []
        for turn in range(times):
            server, url = start(run, log)

            def load(seed: int, url: str = url) -> None:
                client, draw = Client(url, verbose=False), random.Random(seed)
                try:
                    while True:
                        answered.append(ask(client, draw.choice(files))[0])
                except Exception:  # noqa: BLE001  # the server is gone, as it is meant to be
                    return

            threads = [threading.Thread(target=load, args=(i,), daemon=True) for i in range(8)]
            for thread in threads:
                thread.start()
            time.sleep(random.uniform(3.0, 6.0))
            os.kill(server.pid, signal.SIGKILL)
            server.wait()
            for thread in threads:
                thread.join(timeout=20)
            logged = set(ProductionLog(log).read()["request_id"]) if answered else set()
            lost = set(answered) - logged
            print(f"kill {turn + 1}: {len(answered)} answered so far, {len(lost)} lost")
            if lost:
                sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
