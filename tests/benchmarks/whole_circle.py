"""The whole circle: fit, produce, watch, a fault, labels, retrain, in order again.

    python -m tests.benchmarks.whole_circle OUT [--fault lighting] [--run RUN]

``--run`` is a run of ``make quickstart`` or the like, so that the circle begins with production.
Every step is the command that a person would give; each must end as it should, or the script does.
Afterwards `OUT/*/monitor.html` are to be looked at.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd

from hf_vft.cli.main import main as hf_vft

ALERT = 3
CONTRAST = "2"  # clear defects, as in the quickstart: what is shown is the circle
RECIPE = "quickstart"  # it trains the backbone, which a new light asks for
FIELDS = {  # what a fault has to be named by: any of these findings
    "lighting": ("input.brightness", "input.contrast"),
    "blur": ("input.sharpness", "input.bytes"),
}


def run(*words: str | Path, expected: tuple[int, ...] = (0,)) -> int:
    """One command line, in this process: importing torch anew for each takes longer than it."""
    line = list(map(str, words))
    print(f"\n$ hf-vft {' '.join(line)}", flush=True)
    started, status = time.monotonic(), 0
    try:
        hf_vft(line)
    except SystemExit as end:
        status = int(end.code or 0)
    print(f"[exit {status}, {time.monotonic() - started:.0f} s]", flush=True)
    if status not in expected:
        sys.exit(f"exit status {status}, not one of {expected}: the circle is broken here.")
    return status


def verdict(folder: Path) -> Any:
    return json.loads((folder / "verdict.json").read_text(encoding="utf-8"))


def up_to(stream: Path, days: range, out: Path) -> Path:
    """The images of some days, with their labels.csv."""
    table = pd.read_csv(stream / "labels.csv")
    table = table[table["day"].isin(days)]
    for name in table["file_name"]:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(stream / name, out / name)
    table.to_csv(out / "labels.csv", index=False)
    return out


def circle(
    out: Path, run_path: Path | None, fault: str, *, n: int, per_day: int, rows: int,
    options: list[str],
) -> None:  # fmt: skip
    days, bad = 14, 5
    table = f"windows: {{count: 3, needed: 2, rows: {rows}, least: 100}}\n"
    policy = out / "policy.yaml"
    policy.write_text(table, encoding="utf-8")
    line, stream = out / "line", out / "stream"
    fitted = run_path or out / "run"
    if run_path is None:
        run("demo", "images", line, "--n", str(n), "--contrast", CONTRAST)
        run("fit", line, "--recipe", RECIPE, "--out", fitted)
    run(
        "demo", "production", stream, "--fault", fault, "--day", str(bad),
        "--days", str(days), "--per-day", str(per_day), "--contrast", CONTRAST,
    )  # fmt: skip
    watch = ("--policy", policy, "--workspace", out / "workspace")
    good = up_to(stream, range(bad), out / "days-good")
    run("monitor", fitted, good, "--out", out / "1-in-order", *watch)
    after = up_to(stream, range(bad, 11), out / "days-fault")
    run("monitor", fitted, after, "--out", out / "2-fault", *watch, expected=(ALERT,))
    named = {
        f"{one['finding']['section']}.{one['finding']['name']}"
        for one in verdict(out / "2-fault")["judged"]
        if one["finding"]["level"] == "alert"
    }
    if not named.intersection(FIELDS[fault]):
        sys.exit(f"{fault} is not named: {sorted(named)}")
    champion = ("--champion", out / "champion")
    run("retrain", fitted, after, "--out", out / "run-2", *champion, *options)
    last = up_to(stream, range(11, days), out / "days-last")
    run("monitor", out / "champion", last, "--out", out / "3-again", *watch)
    for folder in ("1-in-order", "2-fault", "3-again"):
        found = verdict(out / folder)
        print(f"{folder:12s} {found['action']:8s} {found['headline']}")
        for reason in found["reasons"][:4]:
            print(f"{'':12s} {reason}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--fault", choices=sorted(FIELDS), default="lighting")
    parser.add_argument("--n", type=int, default=1500)
    parser.add_argument("--per-day", type=int, default=150)
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--set", action="append", default=[], dest="changes", help="for retrain")
    given = parser.parse_args()
    given.out.mkdir(parents=True)
    options = [word for change in given.changes for word in ("--set", change)]
    circle(
        given.out,
        given.run,
        given.fault,
        n=given.n,
        per_day=given.per_day,
        rows=given.rows,
        options=options,
    )


if __name__ == "__main__":
    main()
