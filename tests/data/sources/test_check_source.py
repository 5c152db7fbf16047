"""What is neither here nor on the Hub is refused without the libraries that read images."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub.errors import OfflineModeIsEnabled

from hf_vft.data.sources.check_source import check_hub_dataset, check_present
from hf_vft.errors import DataError
from tests.test_package import loaded_after


class Api:
    """The Hub as far as it is asked."""

    error: Exception | None = None

    def dataset_info(self, name: str, timeout: float) -> None:
        if self.error is not None:
            raise self.error


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> type[Api]:
    class Hub(Api):
        pass

    monkeypatch.setattr(huggingface_hub, "HfApi", Hub)
    return Hub


def test_files_folders_and_datasets_of_the_hub_pass(hub: type[Api], tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("image,label\n")
    for source in (str(tmp_path), str(tmp_path / "table.csv"), "user/name", "beans"):
        check_present(source)


@pytest.mark.parametrize("name", ["photos/", "my photos", "nothing.csv", "a/b/c", "../x", "2024:1"])
def test_what_can_be_no_name_on_the_hub_is_refused_without_asking(name: str) -> None:
    with pytest.raises(DataError, match=r"There is no .* here: give a folder, a CSV"):
        check_present(name)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is empty"):
        check_present(str(tmp_path))


def test_without_the_hub_only_a_kept_dataset_passes(hub: type[Api], tmp_path: Path) -> None:
    hub.error = OfflineModeIsEnabled("the Hub is switched off")
    with pytest.raises(DataError, match=r"no 'user/Some-Name' here, and the Hub cannot be reached"):
        check_hub_dataset("user/Some-Name", tmp_path)
    (tmp_path / "user___some-name").mkdir()
    check_hub_dataset("user/Some-Name", tmp_path)


def test_nothing_slow_is_imported() -> None:
    code = """
from hf_vft.cli.main import main
try:
    main(["fit", "no such folder"])
except SystemExit as end:
    assert end.code == 1
"""
    assert loaded_after(code) == set()
