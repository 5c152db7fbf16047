"""What an agent needs to call the endpoints as MCP tools, where Gradio falls short of it.

Measured with Gradio 6.31: of any JSON it says what is no valid schema, and of a list of files what
refers to definitions that are not there; MCP clients refuse both. In a list it leaves addresses as
they are, where a single file is fetched. ``tests/serving/test_mcp.py`` holds that all this works.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Position = list[str | int]


def describe_slices(given: Any, columns: Sequence[str]) -> None:
    """Let a ``gr.JSON`` say that it takes an object of texts."""
    given.api_info = lambda: {
        "type": "object",
        "additionalProperties": {"type": "string"},
        "description": f"columns of the run: {', '.join(columns) or 'none'}",
    }


def describe_files(gr: Any, files: Any) -> None:
    """Let a ``gr.File`` of several files say what a file is where it is mentioned."""
    one = gr.data_classes.ImageData.model_json_schema()
    files.api_info = lambda: {"type": "array", "items": one}


def translate_lists(app: Any) -> None:
    """Let tools of a launched app take lists of files, each treated as Gradio does a single one.

    It is Gradio that fetches an address, within its limits, and that refuses a path.
    """
    server = app.mcp_server_obj
    convert = server.convert_strings_to_filedata

    def convert_lists(arguments: dict[str, Any], positions: list[Position]) -> Any:
        return convert(arguments, [one for found in positions for one in _each(arguments, found)])

    server.convert_strings_to_filedata = convert_lists


def _each(arguments: dict[str, Any], position: Position) -> list[Position]:
    """The places that a place in the schema stands for."""
    name, *inside = position
    if inside == ["items"] and isinstance(arguments.get(str(name)), list):
        return [[name, i] for i in range(len(arguments[str(name)]))]
    return [position]
