"""What ``import hf_vft`` offers, and what it costs."""

import json
import subprocess
import sys

import pytest

import hf_vft

HEAVY = [
    "torch", "torchvision", "transformers", "datasets", "accelerate", "peft", "timm", "sklearn",
    "scipy", "numpy", "pandas", "pyarrow", "PIL", "matplotlib", "jinja2",
]  # fmt: skip


def loaded_after(code: str) -> set[str]:
    """The heavy packages that a fresh interpreter has imported after ``code``."""
    ask = f"import sys, json; print(json.dumps([n for n in {HEAVY!r} if n in sys.modules]))"
    answer = subprocess.run(
        [sys.executable, "-c", f"{code}\n{ask}"], capture_output=True, text=True, check=True
    )
    return set(json.loads(answer.stdout.splitlines()[-1]))


def test_importing_the_package_imports_nothing_heavy():
    assert loaded_after("import hf_vft; hf_vft.__version__; dir(hf_vft)") == set()


def test_reading_a_recipe_through_the_package_imports_nothing_heavy():
    assert loaded_after("from hf_vft import Recipe, load_recipe; load_recipe('staged')") == set()


@pytest.mark.parametrize("name", hf_vft.__all__)
def test_every_public_name_is_there_with_its_documentation(name):
    value = getattr(hf_vft, name)
    assert name == "__version__" or value.__doc__
    assert name in dir(hf_vft)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        hf_vft.nope  # noqa: B018
    assert not hasattr(hf_vft, "nope")


def test_the_names_are_sorted():
    assert hf_vft.__all__ == sorted(hf_vft.__all__)


def test_answering_imports_nothing_that_only_learning_needs():
    """Each takes seconds, and `hf-vft predict` starts anew for every call."""
    learning = {"sklearn", "datasets", "pandas", "timm", "peft", "matplotlib"}
    assert learning & loaded_after("import hf_vft.inference.predictor") == set()
