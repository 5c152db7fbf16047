"""The files around the package agree with one another."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from hf_vft import __version__
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
    assert targets >= {"setup", "quickstart", "check", "test", "test-browser", "bench", "docs"}


def test_ci_can_be_run():
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


BESIDE_THE_PACKAGE = {
    "benchmarks": "programs that measure; `make bench`",
    "families": "every checkpoint through the whole chain; `make test-families`",
    "packaging": "the files around the package",
}
"""Folders of tests/ that stand neither for a folder of the package nor for one of the project."""

BEHAVIOUR = {
    "data/sources/test_comes_back.py": "what is written by one tool and read again",
    "data/sources/test_datumaro_writers.py": "what another tool writes and is read again",
    "data/sources/test_shapes.py": "layouts of data, whichever module reads them",
    "data/test_fuzz.py": "damaged input of every kind",
    "data/test_zoo.py": "bad input of every kind, and what is said of it",
    "hub/test_commands.py": "the commands that speak to the Hub",
    "hub/test_space.py": "a Space, from the run to the Hub",
    "inference/test_foreign_runs.py": "run folders that a stranger wrote",
    "models/test_repositories.py": "checkpoints as repositories of the Hub hold them",
    "monitoring/test_evidently_faults.py": "what Evidently gets wrong",
    "records/test_damaged_log.py": "a log whose files are damaged",
    "records/test_durability.py": "a log whose writers are killed",
    "serving/test_bit_depth.py": "the same answers wherever a run is used",
    "serving/test_stop.py": "a server that is stopped while it works",
    "tasks/test_ranking_scores.py": "what backbones are ranked by, task by task",
    "test_kills.py": "what a kill at any moment leaves behind",
    "workflows/test_circle.py": "from fit to monitor to retrain, and round again",
    "workflows/test_damaged_run.py": "a run folder whose files are damaged",
}
"""Test files that begin with no module's name, because what they hold is no single module's."""


def folders_of_tests() -> list[Path]:
    """All folders of tests/ that hold Python, relative to it."""
    folders = {path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("*.py")}
    return sorted(folders - {Path()})


def test_every_folder_of_tests_stands_for_one_of_the_package_or_the_project() -> None:
    strange = [
        str(folder)
        for folder in folders_of_tests()
        if folder.parts[0] not in BESIDE_THE_PACKAGE
        and not (PACKAGE / folder).is_dir()
        and not (ROOT / folder).is_dir()
    ]
    assert strange == []


def test_every_test_file_begins_with_the_name_of_a_module() -> None:
    strange = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        name = path.relative_to(ROOT / "tests")
        home = PACKAGE / name.parent
        if not home.is_dir():
            continue
        stems = {one.stem for one in home.iterdir() if one.suffix == ".py" or one.is_dir()}
        known = (stems | {"package"} if home == PACKAGE else stems) - {"__init__"}
        stem = name.stem.removeprefix("test_")
        if not any(stem == one or stem.startswith(f"{one}_") for one in known):
            strange.add(name.as_posix())
    assert strange == set(BEHAVIOUR)


def test_the_hooks_before_a_commit_run_the_ruff_of_the_tests(pins) -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [repo["rev"] for repo in hooks["repos"]] == [f"v{pins['ruff']}"]


def test_a_report_of_a_fault_asks_for_the_doctor() -> None:
    forms = [ROOT / ".github" / "ISSUE_TEMPLATE" / name for name in ("fault.yaml", "wish.yaml")]
    for form in forms:
        body = yaml.safe_load(form.read_text(encoding="utf-8"))["body"]
        asked = {one["id"]: one for one in body}
        assert "hf-vft doctor" in asked["doctor"]["attributes"]["label"]
    fault = yaml.safe_load(forms[0].read_text(encoding="utf-8"))["body"]
    required = {one["id"] for one in fault if one.get("validations", {}).get("required")}
    assert {"command", "doctor"} <= required
    template = (ROOT / ".github" / "PULL_REQUEST_TEMPLATE.md").read_text(encoding="utf-8")
    assert "hf-vft doctor" in template


def test_the_citation_names_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == __version__
    assert citation["license"] == "Apache-2.0"


def test_commits_that_only_moved_are_left_out_of_blame() -> None:
    lines = (ROOT / ".git-blame-ignore-revs").read_text(encoding="utf-8").splitlines()
    commits = [line for line in lines if line and not line.startswith("#")]
    assert len(commits) >= 3
    assert all(re.fullmatch(r"[0-9a-f]{40}", commit) for commit in commits)


def test_few_parameters_are_of_any_type() -> None:
    """Where libraries say none; what is asked nothing of is an ``object``."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.arguments):
                stars = [one for one in (node.vararg, node.kwarg) if one]
                given = [*node.posonlyargs, *node.args, *node.kwonlyargs, *stars]
                found += [
                    f"{path.relative_to(PACKAGE)}: {one.arg}"
                    for one in given
                    if isinstance(one.annotation, ast.Name) and one.annotation.id == "Any"
                ]
    assert len(found) < 100, found
