"""Images generated and written per second on one core.

Run with one thread: OMP_NUM_THREADS=1 python -m tests.benchmarks.bench_demo
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from hf_vft.data.demo.images import DemoConfig, generate, write_demo_images

N = 500


def main() -> None:
    for size in (64, 96, 224):
        config = DemoConfig(size=size)
        generate(0, config)
        started = time.process_time()
        for index in range(N):
            generate(index, config)
        generated = N / (time.process_time() - started)
        with tempfile.TemporaryDirectory() as folder:
            started = time.process_time()
            write_demo_images(Path(folder) / "line", n=N, size=size)
            written = N / (time.process_time() - started)
        print(f"{size:4d} px: {generated:5.0f} images/s generated, {written:5.0f} with writing")


if __name__ == "__main__":
    main()
