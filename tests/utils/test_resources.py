import pytest

from hf_vft.utils.resources import bundled


@pytest.mark.parametrize("name", ["recipes", "monitoring", "spaces"])
def test_the_folders_that_users_edit_are_found(name):
    assert bundled(name).is_dir()
