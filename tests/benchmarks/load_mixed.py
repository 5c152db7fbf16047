"""Mixed requests at the same time: what is lost, what memory and disk they take and give back.

``python -m tests.benchmarks.load_mixed RUN DATA [--requests 2000] [--width 32] [--quiet 60]
[--patience 300] [--stop-after SECONDS]``

Of the requests a share is large images (49 megapixels in a small file), heat maps of small and of
large ones, zip files, and uploads that are broken off in the middle. Each is answered or refused in
words; each answer has to be in the log once. Of what ends otherwise the client's and the server's
words are printed. With ``--stop-after`` the server is sent SIGTERM in the middle of it: it has to
answer or refuse what is asked, and to end within ten seconds. Exit status: 0 if all of that holds.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
from PIL import Image

from hf_vft.records import ProductionLog
from tests.benchmarks.load_server import start
from tests.serving.asking import file, raw_call, upload

SHARES = {"small": 58, "map": 14, "large": 6, "large map": 4, "zip": 8, "broken off": 10}
"""Of 100 requests."""

_WATCH = """
import psutil, sys, time
server = psutil.Process(int(sys.argv[1]))
print("watching", flush=True)
while server.status() != psutil.STATUS_ZOMBIE:
    time.sleep(0.02)
print(time.time())
"""
"""In a process of its own: here it would wait behind the clients' threads to look at the clock."""

STOPPED = ('"the server is being stopped."', '"Queue is stopped."')
"""Words of the gate, and of what is behind it."""

LARGE = (7000, 7000)
IN_A_ZIP = 5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("data")
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--quiet", type=float, default=60, help="Seconds before the last look.")
    parser.add_argument("--patience", type=float, default=300, help="Seconds that clients wait.")
    parser.add_argument("--stop-after", type=float, help="Seconds before SIGTERM, under load.")
    options = parser.parse_args()
    files = sorted(p for p in Path(options.data).rglob("*") if p.suffix in (".jpg", ".png"))
    contents = [path.read_bytes() for path in files[:64]]
    draw = random.Random(0)
    kinds = draw.choices(list(SHARES), list(SHARES.values()), k=options.requests)
    with tempfile.TemporaryDirectory() as folder:
        # Where uploads go, so that they can be counted.
        uploads = os.environ["GRADIO_TEMP_DIR"] = str(Path(folder) / "uploads")
        Path(uploads).mkdir()
        log = Path(folder) / "log"
        told = Path(folder) / "stderr"
        server, url = start(options.run, log, told)
        try:
            process = psutil.Process(server.pid)
            asking = Asking(url, contents, options.patience)
            asking.one("small", 0)
            asking.one("map", 1)
            asking.ids.clear()
            before, watch = process.memory_info().rss, Peak(process)
            print(f"at rest {before / 1e6:.0f} MB", flush=True)
            began = time.monotonic()
            stop = Stop(server, asking)
            if options.stop_after:
                threading.Timer(options.stop_after, stop).start()
            with ThreadPoolExecutor(options.width) as pool:
                outcomes = Counter(pool.map(asking.one, kinds, range(options.requests)))
            seconds = time.monotonic() - began
            if not options.stop_after:
                busy, kept = process.memory_info().rss, size_of(uploads)
                time.sleep(options.quiet)
                after = process.memory_info().rss
            logged = Counter(ProductionLog(log).read(columns=["request_id"])["request_id"])
        finally:
            stop()
        left = size_of(uploads)
        errors = [line for line in told.read_text().splitlines() if "Error" in line]
    for outcome, count in sorted(outcomes.items()):
        print(f"  {count:>5} {outcome}")
    for problem in asking.problems:
        print(f"        {problem}")
    print(f"the server's own errors: {Counter(errors).most_common(5) or 'none'}")
    lost = [name for name in asking.ids if logged[name] != 1]
    print(f"{options.requests} requests, {options.width} at a time, in {seconds:.0f} s; "
          f"{len(asking.ids)} answers, {len(lost)} not in the log exactly once "
          f"({sum(not logged[name] for name in lost)} not at all)")  # fmt: skip
    print(f"memory: at rest {before / 1e6:.0f} MB, peak {watch.stop() / 1e6:.0f}")
    if not options.stop_after:
        print(f"at the end {busy / 1e6:.0f} MB, {options.quiet:.0f} s later {after / 1e6:.0f} "
              f"({100 * (after / before - 1):+.0f} %); uploads {kept / 1e6:.0f} MB")  # fmt: skip
    print(f"SIGTERM took {stop.seconds:.1f} s and left {left / 1e6:.0f} MB of uploads")
    failed = sum(n for name, n in outcomes.items() if name.endswith(("lost", "failed")))
    return 1 if lost or failed or stop.seconds > 10 else 0


class Stop:
    """Sends SIGTERM once, and waits for the end.

    Attributes:
        seconds: How long that took.
    """

    def __init__(self, server: subprocess.Popen[str], asking: Asking) -> None:
        self._server = server
        self._asking = asking
        self._once = threading.Lock()
        self.seconds = 0.0

    def __call__(self) -> None:
        with self._once:
            if self._asking.stopping:
                return
            self._asking.stopping = True
            command = [sys.executable, "-c", _WATCH, str(self._server.pid)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching:
                assert watching.stdout
                watching.stdout.readline()
                self._asking.stopped, began = time.monotonic(), time.time()
                self._server.send_signal(signal.SIGTERM)
                self.seconds = float(watching.stdout.readline()) - began
            self._server.wait(60)


class Asking:
    """What clients do; the answers' ids are kept."""

    def __init__(self, url: str, contents: list[bytes], patience: float) -> None:
        self._url = url
        self._contents = contents
        self._patience = patience
        self.problems: list[str] = []
        self.stopping = False
        self.stopped = 0.0
        self.ids: list[str] = []
        stream = io.BytesIO()
        Image.new("RGB", LARGE, "white").save(stream, "PNG")
        self._large = stream.getvalue()

    def one(self, kind: str, number: int) -> str:
        """A request; its kind, and how it ended."""
        began = time.monotonic()
        try:
            return f"{kind}: {self._ask(kind, number)}"
        except httpx.HTTPStatusError as error:
            if error.response.status_code in (413, 429, 503):
                return f"{kind}: refused"
            self.problems.append(f"{kind}: {error.response.text[:200]}")
            return f"{kind}: failed"
        except (httpx.ConnectError, ConnectionRefusedError) as error:
            if self.stopping:  # nobody listens any more
                return f"{kind}: refused"
            self.problems.append(f"{kind}: {error!r}")
            return f"{kind}: lost"
        except (httpx.HTTPError, OSError) as error:
            seconds = time.monotonic() - began
            if self.stopping:
                passed = time.monotonic() - self.stopped
                self.problems.append(
                    f"{kind}: {error!r} after {seconds:.1f} s, {passed:.1f} s after SIGTERM"
                )
                return f"{kind}: cut off at the end"
            self.problems.append(f"{kind}: {error!r} after {seconds:.0f} s")
            return f"{kind}: lost"

    def _ask(self, kind: str, number: int) -> str:
        content = self._contents[number % len(self._contents)]
        if kind == "broken off":
            return self._break_off(content)
        if kind == "zip":
            return self._told("predict_batch", [self._kept("a.zip", self._zip(number))])
        content = self._large if kind.startswith("large") else content
        return self._told(
            "explain" if kind.endswith("map") else "predict", self._kept("a.png", content)
        )

    def _kept(self, name: str, content: bytes) -> dict[str, Any]:
        return file(upload(self._url, name, content))

    def _told(self, endpoint: str, given: Any) -> str:
        told = raw_call(self._url, endpoint, given, None, patience=self._patience)
        if "event: complete" not in told:
            if any(words in told for words in STOPPED):
                return "refused"
            [error] = re.findall(r"event: error\ndata: (.*)", told) or ["null"]
            if '"error"' in told and error != "null":
                return "refused"
            self.problems.append(f"{endpoint}: {told[-300:]!r}")
            return "failed"
        if endpoint != "explain":
            end = told[told.index("event: complete") :]
            [answer] = json.loads(end.split("data: ", 1)[1].splitlines()[0])
            rows = answer if isinstance(answer, list) else [answer]
            self.ids += [row["request_id"] for row in rows if "request_id" in row]
        return "answered"

    def _zip(self, number: int) -> bytes:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            for i in range(IN_A_ZIP):
                archive.writestr(f"{i}.png", self._contents[(number + i) % len(self._contents)])
        return stream.getvalue()

    def _break_off(self, content: bytes) -> str:
        """Half of an upload, then nothing."""
        address = urlsplit(self._url)
        head = (
            f"POST /gradio_api/upload HTTP/1.1\r\nHost: {address.netloc}\r\n"
            "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 10000000\r\n\r\n"
            '--b\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
        )
        with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
            connection.sendall(head.encode() + content)
        return "left"


class Peak:
    """The most memory that a process takes from now on."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._most = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            try:
                self._most = max(self._most, self._process.memory_info().rss)
            except psutil.NoSuchProcess:
                return

    def stop(self) -> int:
        self._stop.set()
        self._thread.join()
        return self._most


def size_of(folder: str) -> int:
    """Bytes of all files below."""
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())


if __name__ == "__main__":
    sys.exit(main())
