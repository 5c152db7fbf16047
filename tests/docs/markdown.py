"""Pieces of Markdown that the generated pages share."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel


def cell(text: str) -> str:
    """Text that stays within its cell of a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def fields_table(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """A row per field of a pydantic model that is no section of its own.

    Args:
        model: Whose fields.
        prefix: Stands before each name, such as ``data.``.
    """
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    yield from ("| Field | Values | Default | Meaning |", "| --- | --- | --- | --- |")
    for name, field in schema["properties"].items():
        if is_section(model, name):
            continue
        default = _default(model, name)
        meaning = cell(field.get("description", ""))
        yield f"| `{prefix}{name}` | {cell(values(field, definitions))} | {default} | {meaning} |"


def is_section(model: type[BaseModel], name: str) -> bool:
    """Whether a field holds a model of its own, which gets a table of its own."""
    default = model.model_fields[name].get_default(call_default_factory=True)
    return isinstance(default, BaseModel)


def values(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """What may stand in a field, in words, from its JSON schema."""
    if "$ref" in field:
        return f"`{field['$ref'].rpartition('/')[2]}`"
    if "anyOf" in field:
        return ", or ".join(values(one, definitions) for one in field["anyOf"])
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{one}`" for one in field["enum"])
    kind = field.get("type", "anything")
    if kind == "array":
        return f"a list of {values(field.get('items', {}), definitions)}"
    words = {
        "null": "nothing", "string": "text", "boolean": "`true`, `false`", "integer": "an integer",
        "number": "a number", "object": "a mapping",
    }  # fmt: skip
    text = words.get(kind, kind)
    bounds = {
        "minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<",
    }  # fmt: skip
    limits = [
        f"{sign} {field[key]:g}"
        for key, sign in bounds.items()
        if key in field and abs(field[key]) < 2**31
    ]
    if "pattern" in field:
        limits.append(f"`{field['pattern']}`")
    return f"{text} {', '.join(limits)}" if limits else text


def _default(model: type[BaseModel], name: str) -> str:
    field = model.model_fields[name]
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value == "":
        return ""
    try:
        return f"`{cell(json.dumps(value, ensure_ascii=False))}`"
    except TypeError:
        return "see below"
