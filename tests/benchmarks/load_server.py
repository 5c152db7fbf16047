"""Requests at the same time against one by one.

``python -m tests.benchmarks.load_server RUN DATA``

Starts the server in a process of its own, asks over ``gradio_client``, and looks for every answer
in the production log.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
from gradio_client import Client, handle_file

from hf_vft.records import ProductionLog

REQUESTS = 200


def start(
    run: str, log: Path, told: Path | None = None, *options: str
) -> tuple[subprocess.Popen[str], str]:
    """The server, and where it is reached.

    Args:
        run: What is served.
        log: The production log.
        told: File that takes what the server says of its errors.
        options: Of ``hf-vft serve``.
    """
    command = [sys.executable, "-u", "-m", "hf_vft", "serve", run, "--log", str(log), *options]
    with Path(told or os.devnull).open("w") as errors:
        server = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=os.environ
        )
    assert server.stdout
    for line in server.stdout:
        if found := re.search(r"Serving on (\S+)", line):
            return server, found[1]
    raise RuntimeError("the server did not start")


def ask(client: Client, file: str) -> tuple[str, float]:
    """A request: the answer's id, and the seconds it took."""
    began = time.monotonic()
    answer = client.predict(handle_file(file), api_name="/predict")
    return answer["request_id"], time.monotonic() - began


def main(run: str, data: str, requests: int = REQUESTS) -> None:
    files = sorted(str(path) for path in Path(data).rglob("*.jpg"))[:requests]
    with tempfile.TemporaryDirectory() as folder:
        server, url = start(run, Path(folder) / "log")
        try:
            process, answered = psutil.Process(server.pid), []
            clients = [Client(url, verbose=False) for _ in range(32)]
            ask(clients[0], files[0])
            for width in (1, 32):
                before, began = process.memory_info().rss, time.monotonic()
                with ThreadPoolExecutor(width) as pool:
                    jobs = [
                        pool.submit(ask, clients[i % width], file) for i, file in enumerate(files)
                    ]
                    done = [job.result() for job in jobs]
                seconds = time.monotonic() - began
                answered += [name for name, _ in done]
                low, high = np.percentile([taken for _, taken in done], [50, 99])
                print(
                    f"{width:>2} at a time: {len(done)} answered, {len(done) / seconds:.1f}/s, "
                    f"p50 {low:.2f} s, p99 {high:.2f} s, memory {before / 1e6:.0f} -> "
                    f"{process.memory_info().rss / 1e6:.0f} MB"
                )
            logged = set(ProductionLog(Path(folder) / "log").read()["request_id"])
            print(f"lost from the log: {len(set(answered) - logged)} of {len(answered)}")
        finally:
            server.send_signal(signal.SIGKILL)
            server.wait()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
