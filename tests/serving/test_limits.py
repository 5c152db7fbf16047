from __future__ import annotations

import io
import threading
import time
from pathlib import Path

import pytest
from PIL import Image

from hf_vft.errors import DataError, VftError
from hf_vft.serving.decode_memory import (
    BYTES_A_PIXEL,
    DEEP_BYTES_A_PIXEL,
    GREY_DEEP_BYTES_A_PIXEL,
    WEBP_BYTES_A_PIXEL,
    DecodingMemory,
    decoded_bytes,
)
from hf_vft.serving.file_access import REFUSED, UploadFolder
from hf_vft.serving.limits import Limits
from tests.made_images import encoded, made_image


def test_limits_are_told_and_changed_by_name() -> None:
    limits = Limits().changed(["file_mb=7", "per_minute=0"])
    assert (limits.file_mb, limits.per_minute) == (7, 0)
    assert "file_mb 7" in str(limits)


BAD = ("file_mb", "file_mb=", "file_mb=-1", "file_mb=0", "x=1", "=1", "file_mb=1e9",
       "file_mb=99999999999", "file_mb=\u0661")  # fmt: skip


@pytest.mark.parametrize("setting", BAD)
def test_bad_limits_are_refused_in_a_line(setting: str) -> None:
    with pytest.raises(VftError, match="--limit") as caught:
        Limits().changed([setting])
    assert "\n" not in str(caught.value)


def png(side: int) -> bytes:
    stream = io.BytesIO()
    Image.new("1", (side, side)).save(stream, "PNG")
    return stream.getvalue()


def test_what_an_image_takes_is_told_by_its_header() -> None:
    assert decoded_bytes(png(100)) == 10_000 * BYTES_A_PIXEL
    assert decoded_bytes(b"no image") == 0


@pytest.mark.parametrize(
    ("mode", "kind", "bytes_a_pixel"),
    [
        ("RGBA", "PNG", BYTES_A_PIXEL),
        ("I;16", "PNG", GREY_DEEP_BYTES_A_PIXEL),
        ("I;16", "TIFF", GREY_DEEP_BYTES_A_PIXEL),
        ("F", "TIFF", GREY_DEEP_BYTES_A_PIXEL),
        ("RGB", "PPM", DEEP_BYTES_A_PIXEL),
        ("RGB", "WEBP", WEBP_BYTES_A_PIXEL),
        ("RGB", "JPEG", BYTES_A_PIXEL),
    ],
)
def test_what_takes_more_to_decode_is_counted_as_more(
    mode: str, kind: str, bytes_a_pixel: int
) -> None:
    stream = io.BytesIO()
    Image.new(mode, (20, 10)).save(stream, kind)
    assert decoded_bytes(stream.getvalue()) == 200 * bytes_a_pixel


def test_an_image_that_takes_more_than_there_is_is_refused_by_its_header() -> None:
    memory = DecodingMemory(decoded_bytes(png(100)), wait=5)
    with pytest.raises(DataError, match="too large: to decode it"), memory.room_for(png(100)):
        pass
    with memory.room_for(png(90)):
        pass


def test_images_of_all_callers_together_take_no_more_than_they_may() -> None:
    memory = DecodingMemory(10 * decoded_bytes(png(100)), wait=5)
    most, now, mutex = 0, 0, threading.Lock()

    def decode(side: int) -> None:
        nonlocal most, now
        wanted = decoded_bytes(png(side))
        with memory.room_for(png(side)):
            with mutex:
                now += wanted
                most = max(most, now)
            time.sleep(0.01)
            with mutex:
                now -= wanted

    sides = [100] * 12 + [200] * 6 + [300] * 3  # the last take nearly all that there is
    threads = [threading.Thread(target=decode, args=(side,)) for side in sides]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert now == 0
    assert most <= memory.bytes


def test_who_waits_too_long_for_memory_is_refused() -> None:
    memory = DecodingMemory(2 * decoded_bytes(png(100)), wait=0.05)
    with (
        memory.room_for(png(100)),
        pytest.raises(DataError, match="busy"),
        memory.room_for(png(95)),
    ):
        pass
    with memory.room_for(png(100)):
        pass


def test_who_waits_is_refused_when_the_server_stops() -> None:
    memory, refused = DecodingMemory(16 * decoded_bytes(png(100)), wait=60), threading.Event()

    def wait() -> None:
        try:
            with memory.room_for(png(350)):
                pass
        except DataError:
            refused.set()

    with memory.room_for(png(350)):
        waiting = threading.Thread(target=wait)
        waiting.start()
        memory.refuse_waiting()
        assert refused.wait(10)
    waiting.join()


def test_a_small_image_does_not_wait_for_large_ones() -> None:
    memory = DecodingMemory(2 * decoded_bytes(png(100)), wait=0.05)
    with memory.room_for(png(130)), memory.room_for(png(10)):
        pass


def test_a_killed_servers_uploads_go_when_the_next_one_starts(tmp_path: Path) -> None:
    running = UploadFolder(tmp_path)
    (running.path / "a.png").write_bytes(b"x")
    killed = tmp_path / "hf-vft-uploads-killed"
    killed.mkdir()
    (killed / ".in-use").touch()
    (killed / "b.png").write_bytes(b"x")
    other = tmp_path / "hf-vft-uploads-of-somebody"
    other.mkdir()
    UploadFolder(tmp_path).remove()
    assert (running.path / "a.png").is_file()
    assert not killed.exists()
    assert other.is_dir()
    running.remove()
    assert not running.path.exists()


def test_uploads_that_were_broken_off_go(tmp_path: Path) -> None:
    folder = UploadFolder(tmp_path)
    (folder.path / "tmpabc").write_bytes(b"half")
    whole = folder.path / "0123" / "tmp.png"
    whole.parent.mkdir()
    whole.write_bytes(b"whole")
    folder.remove_broken_off(60, time.time())
    assert (folder.path / "tmpabc").is_file()
    folder.remove_broken_off(60, time.time() + 61)
    assert not (folder.path / "tmpabc").exists()
    assert folder.admitted(whole) == whole
    assert folder.used_bytes() == 5


def test_an_image_may_come_as_data(tmp_path: Path) -> None:
    import base64

    folder, content = UploadFolder(tmp_path), encoded(made_image(0))
    address = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    kept = folder.keep_data(address, max_bytes=len(content) + 2)
    assert folder.admitted(kept).read_bytes() == content
    for bad, words in (
        (address, "too large"),
        ("data:image/png;base64,%%", REFUSED),
        ("data:text/plain,hello", REFUSED),
        ("data:", REFUSED),
    ):
        with pytest.raises(DataError, match=words[:20]):
            folder.keep_data(bad, max_bytes=10)
