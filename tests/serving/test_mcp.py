"""The tools as an agent uses them: over MCP, through the protocol's own client."""

from __future__ import annotations

import ast
import asyncio
import base64
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gradio", reason="needs hf-vft[serve]")
mcp = pytest.importorskip("mcp", reason="needs hf-vft[serve]")

from mcp.client.streamable_http import streamable_http_client  # noqa: E402

from hf_vft.serving.arguments import UNFIT  # noqa: E402
from hf_vft.serving.file_access import REFUSED, upload_folder  # noqa: E402
from hf_vft.serving.launch import Server, serve  # noqa: E402
from tests.made_images import encoded, made_image  # noqa: E402
from tests.serving import made  # noqa: E402
from tests.serving.test_arguments import forms  # noqa: E402

pytestmark = pytest.mark.slow
TOOLS = {"predict", "explain", "predict_batch", "feedback"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("mcp")
    with serve(made.several(folder / "run").path, log=folder / "log") as running:
        yield running


@pytest.fixture
def photo() -> str:
    """As agents hand over an image that has no address."""
    return f"data:image/png;base64,{base64.b64encode(encoded(made_image(0))).decode()}"


def talk(server: Server, ask: Callable[[Any], Awaitable[Any]]) -> Any:
    """A session of its own."""

    async def session() -> Any:
        address = f"{server.url}gradio_api/mcp/"
        async with (
            streamable_http_client(address) as (read, write, *_),
            mcp.ClientSession(read, write) as open_session,
        ):
            await open_session.initialize()
            return await ask(open_session)

    return asyncio.run(asyncio.wait_for(session(), 120))


def called(server: Server, tool: str, **arguments: Any) -> Any:
    return talk(server, lambda session: session.call_tool(tool, arguments))


def told(result: Any) -> Any:
    assert not result.isError, result.content
    return ast.literal_eval(result.content[0].text)  # Gradio writes it as Python does


def test_the_tools_are_listed_with_what_they_take(server: Server) -> None:
    tools = {tool.name: tool for tool in talk(server, lambda s: s.list_tools()).tools}
    assert set(tools) == TOOLS
    for tool in tools.values():
        assert len(tool.description) > 60
        for name, kind in tool.inputSchema["properties"].items():
            assert kind.get("type"), (tool.name, name)
            assert kind.get("description"), (tool.name, name)
    assert made.COLUMN in tools["predict"].inputSchema["properties"]["slices"]["description"]
    assert tools["predict"].inputSchema["required"] == ["image"]


def test_an_agent_asks_gives_feedback_and_both_are_logged(server: Server, photo: str) -> None:
    answer = told(called(server, "predict", image=photo, slices={made.COLUMN: "top"}))
    assert {one["label"] for one in answer["scores"]} == set(made.LABELS)
    log = server.service.log
    assert log is not None
    row = log.read().set_index("request_id").loc[answer["request_id"]]
    assert row[made.COLUMN] == "top"
    thanks = called(server, "feedback", request_id=answer["request_id"], label=["pit"])
    assert not thanks.isError
    assert "pit" in thanks.content[0].text
    assert answer["request_id"] in set(log.read_labels()["request_id"])


def test_an_agent_sees_why_and_asks_for_many(server: Server, photo: str) -> None:
    shown = called(server, "explain", image=photo, label="pit")
    assert not shown.isError, shown.content
    assert shown.content[0].type == "image"
    assert len(base64.b64decode(shown.content[0].data)) > 100
    rows = told(called(server, "predict_batch", files=[photo, photo]))
    assert [bool(row["scores"]) for row in rows] == [True, True]


def test_no_tool_opens_a_path_or_fetches_an_address(server: Server, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(encoded(made_image(0)))
    calls = [
        (tool, {name: [form] if name == "files" else form})
        for form in (*forms(secret).values(), *forms(secret.with_name("missing.png")).values())
        for tool, name in (("predict", "image"), ("explain", "image"), ("predict_batch", "files"))
    ]

    async def all_of_them(session: Any) -> list[Any]:
        return [await session.call_tool(tool, arguments) for tool, arguments in calls]

    for result, call in zip(talk(server, all_of_them), calls, strict=True):
        assert result.isError, call
        assert result.content[0].text.endswith(REFUSED), (call, result.content[0].text)


def test_data_that_is_no_image_is_refused_in_words(server: Server) -> None:
    given = "data:image/png;base64,bm9uZQ=="
    for tool, arguments in (("predict", {"image": given}), ("predict_batch", {"files": [given]})):
        text = called(server, tool, **arguments).content[0].text
        assert "not an image" in text, text
        assert str(upload_folder().path) not in text


def test_arguments_that_do_not_fit_are_refused_in_our_words(server: Server, photo: str) -> None:
    for tool, arguments in (
        ("predict", {}),
        ("predict", {"image": photo, "slices": 7}),
        ("explain", {"image": photo, "label": [["pit"]]}),
        ("feedback", {"request_id": 7, "label": "pit"}),
    ):
        result = called(server, tool, **arguments)
        assert result.isError
        assert result.content[0].text == UNFIT
