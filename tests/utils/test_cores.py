"""How many cores a process may use, in containers of either kind and out of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hf_vft.utils import cores as module
from hf_vft.utils.cores import THREADS, WAITING, Cores, cores, cpu_quota, limit_threads


def quota(folder: Path, membership: str, **files: str) -> float | None:
    for name, text in files.items():
        path = folder / "mounted" / name.replace("__", "/").replace("_max", ".max")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "cgroup").write_text(membership)
    return cpu_quota(folder / "mounted", folder / "cgroup")


class TestQuota:
    def test_version_two(self, tmp_path: Path) -> None:
        assert quota(tmp_path, "0::/job\n", job__cpu_max="150000 100000\n") == 1.5

    def test_the_smallest_of_a_group_and_those_above_it_counts(self, tmp_path: Path) -> None:
        files = {"a__b__cpu_max": "max 100000\n", "a__cpu_max": "200000 100000\n"}
        assert quota(tmp_path, "0::/a/b\n", **files, cpu_max="400000 100000") == 2.0

    def test_a_container_that_sees_its_own_group_as_the_root(self, tmp_path: Path) -> None:
        assert quota(tmp_path, "0::/docker/1f\n", cpu_max="50000 100000\n") == 0.5

    def test_version_one(self, tmp_path: Path) -> None:
        folder = tmp_path / "mounted" / "cpu" / "job"
        folder.mkdir(parents=True)
        (folder / "cpu.cfs_quota_us").write_text("300000\n")
        (folder / "cpu.cfs_period_us").write_text("100000\n")
        assert quota(tmp_path, "4:memory:/x\n1:cpu,cpuacct:/job\n0::/\n") == 3.0

    @pytest.mark.parametrize("text", ["max 100000\n", "-1 100000\n", "", "strange\n"])
    def test_no_limit(self, tmp_path: Path, text: str) -> None:
        assert quota(tmp_path, "0::/\n", cpu_max=text) is None

    def test_no_control_groups(self, tmp_path: Path) -> None:
        assert cpu_quota(tmp_path, tmp_path / "missing") is None


@pytest.mark.parametrize(
    ("count", "usable", "said"),
    [
        (Cores(8, 8), 8, "8 CPU cores"),
        (Cores(64, 4), 4, "64 CPU cores, 4 of them allowed"),
        (Cores(64, 64, 1.5), 2, "64 CPU cores, a quota of 1.5"),
        (Cores(2, 1, 0.2), 1, "2 CPU cores, 1 of them allowed, a quota of 0.2"),
        (Cores(1, 1), 1, "1 CPU core"),
    ],
)
def test_what_can_run_at_once(count: Cores, usable: int, said: str) -> None:
    assert count.usable == usable
    assert str(count) == said


class TestLimit:
    @pytest.fixture(autouse=True)
    def environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "cores", lambda: Cores(64, 64, 8.0))
        for name in (THREADS, WAITING):
            monkeypatch.setenv(name, "unset")  # so that it comes back after the test
            monkeypatch.delenv(name)

    def test_threads_are_those_that_can_run_and_processes_share_them(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_SET_OUTSIDE", frozenset())
        limit_threads()
        assert (os.environ[THREADS], os.environ[WAITING]) == ("8", "PASSIVE")
        limit_threads(processes=3)
        assert os.environ[THREADS] == "2"
        limit_threads(processes=100)
        assert os.environ[THREADS] == "1"

    def test_what_a_user_has_set_stays(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_SET_OUTSIDE", frozenset([THREADS]))
        os.environ[THREADS] = "5"
        limit_threads(processes=2)
        assert os.environ[THREADS] == "5"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux alone has it")
def test_the_affinity_counts() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, [min(before)])
        assert cores().allowed == 1
    finally:
        os.sched_setaffinity(0, before)
