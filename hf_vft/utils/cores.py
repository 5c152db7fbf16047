"""How many cores this process may use, and the one place that sets the threads of libraries.

Libraries start a thread for each core of the host and let threads that wait spin. In a container
with a share of the host, or beside other work, the spinning takes the time that the late thread
needs. So the command line decides before anything heavy is imported.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

THREADS = "OMP_NUM_THREADS"
"""Read by OpenMP (torch), OpenBLAS, MKL and Arrow; ONNX Runtime and loaders are told."""
WAITING = "OMP_WAIT_POLICY"
_SET_OUTSIDE = frozenset(os.environ) & {THREADS, WAITING}
"""What a user or a launcher has decided before this process began."""
_CGROUP = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")


@dataclass(frozen=True)
class Cores:
    """The CPU cores of this machine, and what of them this process may use.

    Attributes:
        machine: Of the host.
        allowed: Those that the process may run on (its CPU affinity).
        quota: Cores' worth of time that the container grants; None without a limit.
    """

    machine: int
    allowed: int
    quota: float | None = None

    @property
    def usable(self) -> int:
        """Threads that can run at the same time; at least one."""
        granted = self.allowed if self.quota is None else min(self.allowed, math.ceil(self.quota))
        return max(1, granted)

    def __str__(self) -> str:
        """One line for people."""
        parts = [f"{self.machine} CPU core{'s' * (self.machine > 1)}"]
        if self.allowed < self.machine:
            parts.append(f"{self.allowed} of them allowed")
        if self.quota is not None:
            parts.append(f"a quota of {self.quota:g}")
        return ", ".join(parts)


def cores() -> Cores:
    """Count the cores of the machine and of this process."""
    machine = os.cpu_count() or 1
    linux = hasattr(os, "sched_getaffinity")
    return Cores(machine, len(os.sched_getaffinity(0)) if linux else machine, cpu_quota())


def limit_threads(processes: int = 1) -> None:
    """Let libraries that are imported from now on use the usable cores, and wait without spinning.

    It goes through the environment, so processes that are started from here inherit it. What the
    environment of this process said at its start stays.

    Args:
        processes: That share the cores.
    """
    settings = {THREADS: str(max(1, cores().usable // processes)), WAITING: "PASSIVE"}
    for name in settings.keys() - _SET_OUTSIDE:
        os.environ[name] = settings[name]


def cpu_quota(root: Path = _CGROUP, membership: Path = _MEMBERSHIP) -> float | None:
    """Cores' worth of CPU time that control groups grant this process; None without a limit.

    Args:
        root: Where control groups are mounted, of version 1 or 2.
        membership: The file that says in which groups the process is.

    Returns:
        The smallest quota of its group and of those above it.
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:  # no Linux
        return None
    quotas: list[float | None] = []
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if not controllers:
            quotas += map(_quota, _upwards(root, group))
        elif "cpu" in controllers.split(","):
            quotas += map(_quota, _upwards(root / "cpu", group))
    return min((quota for quota in quotas if quota is not None), default=None)


def _upwards(root: Path, group: str) -> list[Path]:
    """The folder of a group and of those above it; a container may see the last alone."""
    folder = root / group.strip("/")
    return [folder, *(above for above in folder.parents if above.is_relative_to(root))]


def _quota(folder: Path) -> float | None:
    """What one group grants, in the words of either version."""
    if len(words := _words(folder / "cpu.max")) != 2:
        words = _words(folder / "cpu.cfs_quota_us") + _words(folder / "cpu.cfs_period_us")
    try:
        time, period = map(int, words)
    except ValueError:  # "max", or no limit can be set here
        return None
    return time / period if time > 0 else None


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []
