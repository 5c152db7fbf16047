"""Turns what pydantic says about a recipe into one line that a person can act on."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from hf_vft.utils.redaction import without_secrets

_LONGEST_VALUE = 60
_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text",
    "list": "a list, [a, b]",
    "model": "a section",
    "dict": "a section",
}


def explain(error: ValidationError, tree: object, known: Iterable[str]) -> str:
    """The first thing that is wrong: where, what is allowed there, what was given.

    Args:
        error: From validating ``tree``.
        tree: The recipe as it was read.
        known: Dotted names of all fields, to suggest one for a misspelt name.
    """
    errors = error.errors(include_url=False)
    first = errors[0]
    if first["type"] == "extra_forbidden":
        *parents, name = first["loc"]
        where = ".".join([*_place(parents, tree), str(name)])
        return f"{where}: no such field{_suggestion(where, known)}"
    place = _place(first["loc"], tree)
    # A field that may be a number or "auto" fails once for each: tell all of it.
    want, *others = dict.fromkeys(
        _want(item) for item in errors if _place(item["loc"], tree) == place
    )
    wants = [want, *(other.removeprefix("has to be ") for other in others)]
    where = f"{'.'.join(place)}: " if place else ""
    return f"{where}{' or '.join(wants)}{_given(first['input'])}"


def _place(location: Iterable[int | str], tree: object) -> list[str]:
    """The dotted name, without the names of types that pydantic puts at its end.

    An entry of a list that has a name is called by it.
    """
    place: list[str] = []
    node = tree
    for part in location:
        if isinstance(node, Mapping) and part in node:
            node = node[part]
            place.append(str(part))
        elif isinstance(node, list) and isinstance(part, int) and part < len(node):
            node = node[part]
            named = isinstance(node, Mapping) and isinstance(node.get("name"), str)
            place.append(node["name"] if named else str(part))
        else:
            break
    return place


def _want(item: Mapping[str, Any]) -> str:
    """What is allowed, so that several can be joined by "or"."""
    kind, _, rest = item["type"].partition("_")
    if rest in ("type", "parsing", "from_float") and kind in _KINDS:
        return f"has to be {_KINDS[kind]}"
    if item["type"] == "string_pattern_mismatch":
        return f"has to match {item['ctx']['pattern']}"
    if item["type"] == "too_short":
        return "must not be empty"
    message = str(item["msg"]).removeprefix("Value error, ")
    return message.replace("Input should be", "has to be")


def _given(value: object) -> str:
    """What was given; nested values would fill the screen."""
    if isinstance(value, Mapping) or (isinstance(value, list) and value):
        return ""
    text = without_secrets(repr(value))
    return f" (got {text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + '…'})"


def _suggestion(where: str, known: Iterable[str]) -> str:
    """The nearest name in the same section, else a field of this name elsewhere."""
    section, _, name = where.rpartition(".")
    fields: dict[str, str] = {}
    for field in sorted(known, key=lambda field: field.rpartition(".")[0] != section):
        fields.setdefault(field.rpartition(".")[2], field)
    close = difflib.get_close_matches(name, list(fields), n=1, cutoff=0.75)
    return f"; did you mean {fields[close[0]]}?" if close else "."
