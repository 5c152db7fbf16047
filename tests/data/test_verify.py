from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from hf_vft.data import verify
from hf_vft.data.images import Decoder
from hf_vft.data.sources.table import image_rows
from hf_vft.data.verify import verify_images
from tests.data.zoo_sources import folders


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    folders(tmp_path / "photos", a=5)
    (tmp_path / "photos" / "a" / "broken.jpg").write_bytes(b"hello")
    return sorted((tmp_path / "photos" / "a").iterdir())


def test_the_hash_is_that_of_the_file(files: list[Path]) -> None:
    checks = verify_images(image_rows(files), decoder=Decoder(1000))
    for file, check in zip(files[:-1], checks, strict=False):
        assert check.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
        assert check.reason is None
    assert checks[-1].sha256 is None
    assert checks[-1].reason == "not an image that Pillow can read"


def test_progress_is_told(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "_BATCH", 4)
    told: list[tuple[int, int]] = []
    verify_images(
        image_rows(files),
        decoder=Decoder(1000),
        progress=lambda done, all_: told.append((done, all_)),
    )
    assert told == [(4, 6), (6, 6)]


def test_no_more_than_a_batch_is_in_memory(
    files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "_BATCH", 2)
    sizes = [len(batch) for batch in verify._batches(image_rows(files))]
    assert sizes == [2, 2, 2]


def test_an_unchanged_file_is_not_decoded_again(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[bytes] = []
    real = Decoder.read

    def read(self: Decoder, source: bytes) -> object:
        decoded.append(source)
        return real(self, source)

    monkeypatch.setattr(Decoder, "read", read)
    rows = image_rows(files)
    first = verify_images(rows, decoder=Decoder(1000), cache_dir=tmp_path / "cache")
    assert len(decoded) == 6
    assert verify_images(rows, decoder=Decoder(1000), cache_dir=tmp_path / "cache") == first
    assert len(decoded) == 7  # the unusable one alone: what it needs may be installed by now
    files[0].write_bytes(b"changed")
    changed = verify_images(rows, decoder=Decoder(1000), cache_dir=tmp_path / "cache")
    assert len(decoded) == 9
    assert changed[0].reason is not None
    assert (
        verify_images(rows, decoder=Decoder(7), cache_dir=tmp_path / "cache")[1].reason is not None
    )


def test_a_damaged_cache_is_made_anew(files: list[Path], tmp_path: Path) -> None:
    (tmp_path / verify._CACHE_FILE).write_text("{")
    first = verify_images(image_rows(files), decoder=Decoder(1000), cache_dir=tmp_path)
    assert [check.reason is None for check in first] == [True] * 5 + [False]
    assert verify_images(image_rows(files), decoder=Decoder(1000), cache_dir=tmp_path) == first
