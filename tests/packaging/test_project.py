"""The files around the package agree with one another."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest
from packaging.requirements import Requirement

from hf_vft.utils.resources import PACKAGE

ROOT = PACKAGE.parent
pytestmark = pytest.mark.skipif(
    not (ROOT / "pyproject.toml").is_file(), reason="needs a checkout, not an installed package"
)


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_constraints_are_exact_versions_and_nothing_else(pins):
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    wrong = [ln for ln in lines if not re.fullmatch(r"#.*|[a-z0-9._-]+==[0-9a-z.+!]+", ln)]
    assert wrong == []
    assert "hf-vft" not in pins


def test_every_requirement_is_pinned_to_a_version_it_allows(project, pins):
    extras = project.get("optional-dependencies", {}).values()
    for text in [*project["dependencies"], *(line for extra in extras for line in extra)]:
        requirement = Requirement(text)
        if normal(requirement.name) == "hf-vft":
            continue
        assert normal(requirement.name) in pins, f"{text} is missing in constraints.txt"
        assert requirement.specifier.contains(pins[normal(requirement.name)]), text


def imported() -> set[str]:
    """Top-level names of all that the package imports from elsewhere."""
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"hf_vft"}


def test_what_is_imported_is_required_by_name(project):
    """A package that only comes along with another one may stay away with its next version."""
    extras = {**project.get("optional-dependencies", {}), "dev": []}.values()
    lines = [*project["dependencies"], *(line for extra in extras for line in extra)]
    required = {normal(Requirement(line).name) for line in lines}
    providers = packages_distributions()
    for module in sorted(imported()):
        known = {normal(name) for name in providers.get(module, [module])}
        assert known & required, f"{module} is imported, but not in pyproject.toml"


def test_the_targets_of_the_makefile_are_there():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert targets >= {"setup", "quickstart", "check", "test", "test-browser", "bench", "clean"}


def test_ci_can_be_run():
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
