"""What a log still holds after its writers were killed, and while others work on it."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import hf_vft.records.compaction
import hf_vft.records.journal
import hf_vft.records.parquet_parts
from hf_vft.errors import LogError
from hf_vft.records import ProductionLog
from hf_vft.records.journal import journals
from hf_vft.records.parquet_parts import LogPart
from tests.records.rows import row

FORK = multiprocessing.get_context("fork")


def request_ids(log: ProductionLog) -> Counter[str]:
    return Counter(log.read(columns=["request_id"])["request_id"])


def write_forever(folder: Path, worker: int, acknowledge: int) -> None:
    """Append rows and say so through a pipe, until killed."""
    with ProductionLog(folder).writer(roll_rows=7) as writer:
        for number in range(1_000_000):
            rows = [row(worker * 1_000_000 + 3 * number + k, embedding=[1, 2]) for k in range(3)]
            writer.append(rows)
            os.write(acknowledge, "".join(r["request_id"] + "\n" for r in rows).encode())


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed process loses nothing that the kernel has; only a power cut would."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


def run_and_kill(folder: Path, worker: int, least: int, seconds: float) -> set[str]:
    """Start a writer, ``kill -9`` it, and return what it had acknowledged: ``least`` bytes."""
    reading, writing = os.pipe()
    child = FORK.Process(target=write_forever, args=(folder, worker, writing))
    child.start()
    os.close(writing)
    heard: list[bytes] = []
    listener = threading.Thread(target=_listen, args=(reading, heard))
    listener.start()
    while sum(map(len, heard)) < least:
        time.sleep(0.005)
    time.sleep(seconds)
    os.kill(child.pid or 0, signal.SIGKILL)
    child.join()
    listener.join()
    assert child.exitcode == -signal.SIGKILL
    return set(b"".join(heard).decode().rpartition("\n")[0].split())


def _listen(pipe: int, heard: list[bytes]) -> None:
    while data := os.read(pipe, 65536):
        heard.append(data)
    os.close(pipe)


def test_nothing_acknowledged_is_lost_or_doubled_by_kill_9(tmp_path: Path) -> None:
    log, rng = ProductionLog(tmp_path / "log"), random.Random(0)
    acknowledged: set[str] = set()
    for worker in range(5):
        acknowledged |= run_and_kill(log.folder, worker, rng.randrange(1, 999), 0.05 * rng.random())
        found = request_ids(log)
        assert acknowledged <= set(found)
        assert max(found.values()) == 1
        if worker % 3 == 2:
            log.compact()
    assert len(acknowledged) > 100
    log.compact()
    found = request_ids(log)
    assert acknowledged <= set(found)
    assert max(found.values()) == 1
    assert not journals(log.folder)
    embedded = log.read_embeddings()
    assert sorted(embedded.request_ids) == sorted(found)


def test_writers_a_reader_and_a_compaction_work_at_once(tmp_path: Path) -> None:
    log = ProductionLog(tmp_path / "log")

    def write(worker: int) -> None:
        with log.writer(roll_rows=5) as writer:
            for number in range(30):
                writer.append([row(worker * 1000 + number)])

    children = [FORK.Process(target=write, args=(worker,)) for worker in range(4)]
    for child in children:
        child.start()
    seen: Counter[str] = Counter()
    while any(child.is_alive() for child in children):
        now = request_ids(log)
        assert set(seen) <= set(now)
        assert not now or max(now.values()) == 1
        seen = now
        log.compact()
    assert [child.exitcode for child in children] == [0] * 4
    assert request_ids(log) == Counter(
        f"r{worker * 1000 + number}" for worker in range(4) for number in range(30)
    )


def test_a_writer_finds_the_parts_that_a_compaction_deletes_under_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = ProductionLog(tmp_path / "log")
    for number in range(3):
        with log.writer() as writer:
            writer.append([row(number)])
    whole = hf_vft.records.parquet_parts._open
    compacted = []

    def compact_first(path: Path) -> LogPart:
        if not compacted:
            compacted.append(True)
            log.compact()
        return whole(path)

    monkeypatch.setattr(hf_vft.records.parquet_parts, "_open", compact_first)
    with log.writer() as writer:
        writer.append([row(3)])
    assert compacted
    assert request_ids(log) == Counter(["r0", "r1", "r2", "r3"])
    assert not journals(log.folder)


def test_threads_share_a_writer(tmp_path: Path) -> None:
    log = ProductionLog(tmp_path / "log")
    with log.writer(roll_rows=9) as writer:
        threads = [
            threading.Thread(
                target=lambda k: [writer.append([row(k * 100 + i)]) for i in range(20)], args=(k,)
            )
            for k in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum(request_ids(log).values()) == len(request_ids(log)) == 80


def test_a_forked_process_gets_a_journal_of_its_own(tmp_path: Path) -> None:
    log = ProductionLog(tmp_path / "log")
    writer = log.writer()
    writer.append([row(0)])

    def child() -> None:
        writer.append([row(1)])
        writer.close()

    process = FORK.Process(target=child)
    process.start()
    process.join()
    assert process.exitcode == 0
    writer.append([row(2)])
    assert sorted(request_ids(log)) == ["r0", "r1", "r2"]
    writer.close()
    assert sum(request_ids(log).values()) == 3


def test_a_torn_last_line_is_left_out_and_a_damaged_one_named(tmp_path: Path) -> None:
    log = ProductionLog(tmp_path / "log")
    writer = log.writer()
    writer.append([row(0), row(1)])
    path = journals(log.folder)[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    assert set(request_ids(log)) == {"r0"}
    path.write_bytes(whole.replace(b'"r0"', b'"r0', 1))
    with pytest.raises(LogError, match=r"line 1 is damaged"):
        log.read()


class Killed(BaseException):
    """Stands for the end of the process at a line of code."""


def die_at_call(patch: pytest.MonkeyPatch, owner: Any, name: str, call: int) -> None:
    real, left = getattr(owner, name), [call]

    def deadly(*args: Any, **kwargs: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        return real(*args, **kwargs)

    patch.setattr(owner, name, deadly)


@pytest.mark.parametrize("call", [1, 2, 3])
def test_a_journal_whose_rolling_was_cut_short_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    """Two days, so two parts: cut before the first, between them, and before the deletion."""
    log = ProductionLog(tmp_path / "log")
    writer = log.writer()
    writer.append([row(0), row(1440)])
    with monkeypatch.context() as patch:
        if call < 3:
            die_at_call(patch, hf_vft.records.journal, "write_part", call)
        else:
            die_at_call(patch, Path, "unlink", 1)
        with pytest.raises(Killed):
            writer.close()
    assert len(journals(log.folder)) == 1
    assert request_ids(log) == Counter(["r0", "r1440"])
    assert log.compact().journals == 1
    assert not journals(log.folder)
    assert request_ids(log) == Counter(["r0", "r1440"])


def test_a_merge_that_was_cut_short_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = ProductionLog(tmp_path / "log")
    for number in range(3):
        with log.writer() as writer:
            writer.append([row(number)])
    assert len(list(log.folder.rglob("part-*"))) == 3
    with monkeypatch.context() as patch:
        die_at_call(patch, Path, "unlink", 2)
        with pytest.raises(Killed):
            log.compact()
    assert len(list(log.folder.rglob("part-*"))) == 3  # one deleted, the merged one new
    assert request_ids(log) == Counter(["r0", "r1", "r2"])
    done = log.compact()
    assert (done.before, done.after) == (3, 1)
    assert request_ids(log) == Counter(["r0", "r1", "r2"])


def test_a_merge_knows_a_journal_that_is_still_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its writer is alive, between writing the part and deleting the journal."""
    log = ProductionLog(tmp_path / "log")
    for number in range(2):
        with log.writer() as writer:
            writer.append([row(number)])
    late = log.writer()
    late.append([row(2)])
    journal = journals(log.folder)[0]
    content = journal.read_bytes()
    late.close()
    journal.write_bytes(content)
    monkeypatch.setattr(hf_vft.records.compaction, "_rolled", lambda *_: False)
    log.compact()
    with log.writer() as writer:
        writer.append([row(3)])
    log.compact()
    assert len(list(log.folder.rglob("part-*"))) == 1
    assert request_ids(log) == Counter(["r0", "r1", "r2", "r3"])


def test_a_journal_in_use_is_left_alone(tmp_path: Path) -> None:
    log = ProductionLog(tmp_path / "log")
    with log.writer() as writer:
        writer.append([row(0)])
        assert log.compact().journals == 0
        writer.append([row(1)])
    assert sum(request_ids(log).values()) == 2


def test_a_full_disk_is_an_error_and_leaves_whole_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = ProductionLog(tmp_path / "log")
    writer = log.writer()
    writer.append([row(0)])
    real = os.write
    with monkeypatch.context() as patch:
        calls: list[int] = []

        def half(file: int, data: Any) -> int:
            calls.append(file)
            if len(calls) > 1:
                raise OSError(28, "No space left on device")
            return real(file, data[: len(data) // 2])

        patch.setattr(os, "write", half)
        with pytest.raises(LogError, match="No space left"):
            writer.append([row(1)])
    writer.append([row(2)])
    lines = journals(log.folder)[0].read_bytes().splitlines()
    assert [json.loads(line)[1]["request_id"] for line in lines] == ["r0", "r2"]
    writer.close()
