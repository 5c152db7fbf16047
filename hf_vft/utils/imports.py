"""The one place that knows which optional packages are installed."""

from __future__ import annotations

import importlib
import importlib.util
from functools import cache
from types import ModuleType

from hf_vft.errors import MissingDependencyError


@cache
def is_available(package: str) -> bool:
    """Whether ``package`` can be imported, without importing it."""
    return importlib.util.find_spec(package) is not None


def require_package(package: str, extra: str) -> ModuleType:
    """Import an optional package.

    Args:
        package: The name to import.
        extra: The extra of hf-vft that installs it.

    Raises:
        MissingDependencyError: If the package is not installed.
    """
    if not is_available(package):
        raise MissingDependencyError(
            f"This needs the package {package!r}: pip install 'hf-vft[{extra}]'."
        )
    return importlib.import_module(package)
