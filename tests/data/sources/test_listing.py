"""Names in tables and annotations, and the images that they mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from hf_vft.data.sources.listing import Listing


def find(name: str, *files: str, folder: str = "") -> tuple[str | None, str]:
    match = Listing(Path("x"), tuple(sorted(files))).find(name, folder)
    return match.file, match.how


@pytest.mark.parametrize(
    ("name", "files", "file", "how"),
    [
        ("a/1.jpg", ["a/1.jpg", "b/1.jpg"], "a/1.jpg", "written"),
        ("1.jpg", ["deep/a/1.jpg"], "deep/a/1.jpg", "below"),
        ("1", ["a/1.jpg"], "a/1.jpg", "ending"),
        ("1.tif", ["a/1.jpg"], "a/1.jpg", "ending"),
        ("/home/me/a/1.jpg", ["a/1.jpg", "b/1.jpg"], "a/1.jpg", "tail"),
        (r"C:\photos\1.jpg", ["images/1.jpg"], "images/1.jpg", "tail"),
        (r"..\..\media\upload\4\x.png", ["images/x.png"], "images/x.png", "tail"),
        ("1%20b.jpg", ["1 b.jpg"], "1 b.jpg", "below"),
        ("IMG.JPG", ["a/img.jpg"], "a/img.jpg", "below"),
        ("mu\u0308ll.png", ["a/m\u00fcll.png"], "a/m\u00fcll.png", "below"),
        ("pet_1", ["images/pet_1.jpg", "trimaps/pet_1.png"], "images/pet_1.jpg", "ending"),
        ("camC/1.jpg", ["camA/1.jpg"], None, "none"),
        ("1.jpg", ["a/1.jpg", "b/1.jpg"], None, "several"),
        ("", ["a/1.jpg"], None, "none"),
        ("a.b", ["a.jpg"], None, "none"),
    ],
)
def test_a_name_means_the_image_with_the_longest_end_in_common(
    name: str, files: list[str], file: str | None, how: str
) -> None:
    assert find(name, *files) == (file, how)


def test_a_name_is_looked_for_from_the_folder_of_its_file_first() -> None:
    assert find("1.jpg", "1.jpg", "train/1.jpg", folder="train") == ("train/1.jpg", "written")


def test_a_listing_has_no_files_that_systems_leave_behind(tmp_path: Path) -> None:
    for name in ("a/1.jpg", "a/.x", "@eaDir/1.jpg", "a/Thumbs.db", "__MACOSX/a/1.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    found = Listing.of(tmp_path)
    assert found.files == ("a/1.jpg",)
    assert found.empty == ("empty",)
