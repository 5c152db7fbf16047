import subprocess
import sys

import pytest

from hf_vft.errors import MissingDependencyError
from hf_vft.utils.imports import is_available, require_package


def test_looking_for_a_package_does_not_import_it():
    sys.modules.pop("this", None)
    assert is_available("this")
    assert "this" not in sys.modules


def test_a_package_that_is_there_is_imported():
    assert require_package("json", "any").loads("1") == 1


def test_a_missing_package_names_the_extra_that_brings_it():
    with pytest.raises(MissingDependencyError, match=r"pip install 'hf-vft\[monitor\]'") as caught:
        require_package("no_such_package_at_all", "monitor")
    assert "\n" not in str(caught.value)


def test_watching_a_log_imports_no_library_of_models():
    """They take seconds and half a gigabyte, and a log needs no model."""
    heavy = {"torch", "transformers", "datasets", "peft", "evidently"}
    code = f"import hf_vft.workflows.monitor, sys; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (found.stdout, found.stderr) == ("[]\n", "")
