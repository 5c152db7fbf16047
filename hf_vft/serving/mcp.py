"""What an agent needs to call the endpoints as MCP tools, where Gradio falls short of it.

Measured with Gradio 6.31: of any JSON it says what is no valid schema, and of a list of files what
refers to definitions that are not there; MCP clients refuse both. It fetches addresses, where a
server of images has no need to. ``tests/serving/test_mcp.py`` holds that all this works.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

from hf_vft.serving.arguments import UNFIT, admitted_file, without_files
from hf_vft.serving.file_access import DATA, REFUSED, UploadFolder

Position = list[str | int]
_SCHEMA_ERROR = "Input validation error"


def describe_slices(component: Any, columns: Sequence[str]) -> None:
    """Let a ``gr.JSON`` say that it takes an object of texts."""
    component.api_info = lambda: {
        "type": "object",
        "additionalProperties": {"type": "string"},
        "description": f"columns of the run: {', '.join(columns) or 'none'}",
    }


def describe_files(gr: ModuleType, files: Any) -> None:
    """Let a ``gr.File`` of several files say what a file is where it is mentioned."""
    schema = gr.data_classes.ImageData.model_json_schema()
    files.api_info = lambda: {"type": "array", "items": schema}


def take_data(app: Any, uploads: UploadFolder, max_bytes: int) -> None:
    """Let tools of a launched app take images as ``data:`` addresses, alone and in lists.

    Gradio calls its own server then, and uploads what a path names: it is checked before.

    Args:
        app: The running ``gradio.Blocks``.
        uploads: Where the images are kept.
        max_bytes: Of one.
    """

    def converted(arguments: dict[str, Any], positions: list[Position]) -> dict[str, Any]:
        files = {position[0] for position in positions}
        return {k: file(v) if k in files else without_files(v) for k, v in arguments.items()}

    def file(given: object) -> Any:
        if isinstance(given, list):
            return [file(item) for item in given]
        if isinstance(given, str) and given.startswith(DATA):
            given = uploads.keep_data(given, max_bytes=max_bytes)
        return None if given is None else admitted_file(uploads, given)

    app.mcp_server_obj.convert_strings_to_filedata = converted


def refuse_in_our_words(app: Any) -> None:
    """Let tools of a launched app say of arguments that do not fit what the endpoints say of them.

    The protocol's library checks them first, and quotes what it was given.

    Args:
        app: The running ``gradio.Blocks``.
    """
    server = app.mcp_server_obj
    types, handlers = server.types, server.mcp_server.request_handlers
    call = handlers[types.CallToolRequest]

    def refusal(text: str) -> Any:
        content = [types.TextContent(type="text", text=text)]
        return types.ServerResult(types.CallToolResult(content=content, isError=True))

    async def called(request: Any) -> Any:
        name, arguments = request.params.name, request.params.arguments or {}
        if name in server.tool_to_endpoint:
            for position in server.get_input_schema(name)[1]:
                value = arguments.get(position[0], "")
                if not _may_be_files(value, several=len(position) > 1):
                    return refusal(REFUSED)
        result = await call(request)
        return refusal(UNFIT) if _is_of_the_schema(result.root) else result

    handlers[types.CallToolRequest] = called


def _may_be_files(schema: object, *, several: bool) -> bool:
    """Whether a file argument is a text, or where there may be several a list of texts."""
    listed = schema if several and isinstance(schema, list) else [schema]
    return all(isinstance(item, str) for item in listed)


def _is_of_the_schema(result: Any) -> bool:
    """Whether a tool was not even called, because its arguments do not fit."""
    return bool(result.isError) and result.content[0].text.startswith(_SCHEMA_ERROR)
