from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from hf_vft.errors import OutputError
from hf_vft.outputs import MARK, check_replaceable, claim, keep, mark_replaceable, save_image
from hf_vft.run import remove_leftovers, write_folder, write_text

IMAGE = Image.new("RGB", (4, 4), "red")


def test_what_somebody_else_wrote_is_not_claimed(tmp_path: Path) -> None:
    (tmp_path / "verdict.json").write_text("mine")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"verdict\.json: already exists") as caught:
        claim(tmp_path, ["monitor.html", "verdict.json"], command="monitor")
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "verdict.json"]


def test_what_was_claimed_is_written_again_and_again(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    for _ in range(2):
        claim(out, ["verdict.json"], command="monitor")
        write_text(out / "verdict.json", "{}")
    claim(out, ["audit.html"], command="audit")
    claim(out, ["verdict.json"], command="monitor")
    (out / "evidently.html").write_text("mine")
    with pytest.raises(OutputError):
        claim(out, ["verdict.json", "evidently.html"], command="monitor")


def test_a_pattern_claims_whatever_it_names(tmp_path: Path) -> None:
    (tmp_path / "checkpoint-500").mkdir()
    with pytest.raises(OutputError, match="checkpoint-500"):
        claim(tmp_path, ["checkpoint-*"], command="pretrain")
    (tmp_path / "checkpoint-500").rmdir()
    claim(tmp_path, ["checkpoint-*"], command="pretrain")
    (tmp_path / "checkpoint-7").mkdir()
    claim(tmp_path, ["checkpoint-*"], command="pretrain")


def test_a_folder_is_replaced_only_with_its_mark(tmp_path: Path) -> None:
    out = tmp_path / "space"
    check_replaceable(out, command="space")
    out.mkdir()
    check_replaceable(out, command="space")
    (out / "app.py").write_text("mine")
    with pytest.raises(OutputError, match="not made by `hf-vft space`"):
        check_replaceable(out, command="space")
    mark_replaceable(out, command="space")
    check_replaceable(out, command="space")
    keep(out)
    with pytest.raises(OutputError):
        check_replaceable(out, command="space")
    with pytest.raises(OutputError):
        check_replaceable(out / "app.py", command="space")


def test_a_damaged_mark_marks_nothing(tmp_path: Path) -> None:
    (tmp_path / MARK).write_text("[")
    with pytest.raises(OutputError):
        check_replaceable(tmp_path, command="space")
    claim(tmp_path, ["a"], command="audit")


def test_an_image_is_written_over_only_if_it_is_ours(tmp_path: Path) -> None:
    out = tmp_path / "why.png"
    save_image(IMAGE, out, command="explain")
    save_image(IMAGE, out, command="explain")
    IMAGE.save(tmp_path / "photo.png")
    IMAGE.save(tmp_path / "photo.jpg")
    for name in ("photo.png", "photo.jpg"):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(OutputError, match="choose another --out"):
            save_image(IMAGE, tmp_path / name, command="explain")
        assert (tmp_path / name).read_bytes() == before
    with pytest.raises(OutputError, match=r"has to end in \.png"):
        save_image(IMAGE, tmp_path / "why", command="explain")
    save_image(IMAGE, tmp_path / "why.jpg", command="explain")
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_only_our_own_leftovers_are_removed(tmp_path: Path) -> None:
    for name in (".notes.tmp", ".report.old", ".a.b.tmp", "x.tmp"):
        (tmp_path / name).write_text("mine")

    written: list[Path] = []
    write_folder(tmp_path / "model", written.append)
    (tmp_path / "model").rename(written[0])  # as a kill leaves it
    assert len(list(tmp_path.iterdir())) == 5
    remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".a.b.tmp", ".notes.tmp", ".report.old", "x.tmp",
    ]  # fmt: skip
