"""The wheel holds all that the checkout does, and finds it when installed."""

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import get_args

import pytest

import hf_vft
from hf_vft.utils.resources import PACKAGE, BundledFolder

ROOT = PACKAGE.parent
FOLDERS = [name for name in get_args(BundledFolder) if (ROOT / name).is_dir()]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (ROOT / "pyproject.toml").is_file(), reason="needs a checkout, not an installed package"
    ),
]


def files_below(folder: Path) -> set[str]:
    """Names relative to ``folder``, without what Python and desktops leave behind."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name != ".DS_Store"
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), ROOT],
        check=True,
        capture_output=True,
    )
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    return set(zipfile.ZipFile(wheel).namelist())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory) -> Path:
    """An empty folder with nothing but hf-vft in it."""
    target = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet"]
    subprocess.run([*pip, "--target", str(target), str(wheel)], check=True, capture_output=True)
    return target


def asked(installed: Path, expression: str):
    """The value of ``expression`` where hf-vft is installed and nothing else is."""
    code = (
        f"import sys, json; sys.path.insert(0, {str(installed)!r})\n"
        "import hf_vft; from hf_vft.utils.resources import bundled\n"
        f"print(json.dumps({expression}))"
    )
    command = [sys.executable, "-I", "-S", "-c", code]
    answer = subprocess.run(command, check=True, capture_output=True, text=True, cwd=installed)
    return json.loads(answer.stdout)


def test_the_wheel_has_every_file_of_the_package_and_no_other(names):
    bundled = {f"hf_vft/_bundled/{f}/{name}" for f in FOLDERS for name in files_below(ROOT / f)}
    package = {f"hf_vft/{name}" for name in files_below(PACKAGE)}
    packed = {name for name in names if ".dist-info/" not in name}
    assert packed == package | bundled


def test_what_is_read_at_run_time_is_in_the_wheel(names):
    assert {
        "hf_vft/py.typed",
        "hf_vft/reporting/templates/report.html",
        "hf_vft/reporting/templates/_style.css",
        "hf_vft/_bundled/recipes/staged.yaml",
        "hf_vft/_bundled/recipes/accelerate/multi_gpu.yaml",
    } <= names


def test_tests_and_builds_stay_out(names):
    assert not [name for name in names if name.startswith(("tests/", "build/", ".", "recipes/"))]


def test_the_command_and_the_version_are_declared(wheel):
    with zipfile.ZipFile(wheel) as archive:
        entries = next(n for n in archive.namelist() if n.endswith("entry_points.txt"))
        metadata = next(n for n in archive.namelist() if n.endswith("METADATA"))
        assert "hf-vft = hf_vft.cli.main:main" in archive.read(entries).decode()
        assert f"\nVersion: {hf_vft.__version__}\n" in archive.read(metadata).decode()


def test_the_installed_package_is_the_one_that_is_asked(installed):
    assert Path(asked(installed, "hf_vft.__file__")).is_relative_to(installed)
    assert asked(installed, "hf_vft.__version__") == hf_vft.__version__


@pytest.mark.parametrize("folder", FOLDERS)
def test_bundled_folders_are_found_where_it_is_installed(installed, folder):
    found = Path(asked(installed, f"str(bundled({folder!r}))"))
    assert found.is_relative_to(installed)
    assert files_below(found) == files_below(ROOT / folder)


def test_the_page_of_a_package_index_has_no_link_that_leads_nowhere(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [one for one in archive.namelist() if one.endswith("/METADATA")]
        text = archive.read(name).decode()
    description = text.partition("\n\n")[2]
    assert description.startswith("# hf-vft")
    assert "Getting started" in description
    links = re.findall(r"\]\(([^)]+)\)", description)
    assert [link for link in links if not link.startswith("https://")] == []
