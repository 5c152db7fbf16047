"""Changes to a recipe while it is still nested mappings and lists: ``stages.all.epochs=5``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from hf_vft.errors import RecipeError
from hf_vft.utils.yaml_text import parse_yaml

_LONGEST_VALUE = 60


def parse_change(text: str) -> tuple[str, Any]:
    """``a.b=c`` as (dotted name, value); the value is read as YAML.

    A single sign such as ``|`` is taken as it is: in YAML it would begin a text that never comes.

    Raises:
        RecipeError: If it is not of this form.
    """
    key, separator, value = text.partition("=")
    if not separator or not key.strip():
        raise RecipeError(f"--set {text!r}: write it as section.field=value.")
    if len(value) == 1 and not value.isalnum() and value not in "~ ":
        return key.strip(), value
    try:
        return key.strip(), parse_yaml(value)
    except ValueError:
        shown = value if len(value) <= _LONGEST_VALUE else f"{value[:_LONGEST_VALUE]}…"
        raise RecipeError(
            f"--set {key.strip()}: {shown!r} is not YAML; put it in quotes."
        ) from None


def flatten(tree: object, prefix: str = "") -> Iterable[tuple[str, Any]]:
    """The leaves of nested mappings and lists as (dotted name, value)."""
    items: Iterable[tuple[Any, Any]]
    if isinstance(tree, Mapping):
        items = tree.items()
    elif isinstance(tree, list):
        items = enumerate(tree)
    else:
        yield prefix, tree
        return
    for key, value in items:
        yield from flatten(value, f"{prefix}.{key}" if prefix else str(key))


def get_value(tree: Mapping[str, Any], key: str) -> Any:
    """The value at a dotted name; an entry of a list is called by its position or ``name``.

    Raises:
        RecipeError: If the list has no such entry.
    """
    for part in key.split("."):
        tree = tree[_index(tree, part, key) if isinstance(tree, list) else part]
    return tree


def set_value(tree: object, key: str, value: object) -> None:
    """Set a dotted name in nested mappings and lists; missing mappings are made.

    Args:
        tree: Changed in place.
        key: An entry of a list is called by its position, or by its ``name``.
        value: What to put there.

    Raises:
        RecipeError: If the name leads nowhere.
    """
    *parents, last = key.split(".")
    node = tree
    for part in parents:
        node = node[_index(node, part, key)] if isinstance(node, list) else _child(node, part, key)
    if isinstance(node, list):
        node[_index(node, last, key)] = value
    elif isinstance(node, dict):
        node[last] = value
    else:
        raise RecipeError(f"--set {key}: {'.'.join(parents)} is not a section.")


def _child(node: object, part: str, key: str) -> Any:
    if not isinstance(node, dict):
        raise RecipeError(f"--set {key}: {part!r} is not inside a section.")
    if node.get(part) is None:
        node[part] = {}
    return node[part]


def _index(items: list[Any], part: str, key: str) -> int:
    """Position of a list's entry, by number or by the entry's name."""
    names = [item.get("name") if isinstance(item, dict) else None for item in items]
    if part in names:
        return names.index(part)
    if re.fullmatch(r"\d+", part) and int(part) < len(items):
        return int(part)
    known = ", ".join(name for name in names if name) or "none with a name"
    raise RecipeError(f"--set {key}: no entry {part!r}; there are {known}.")
