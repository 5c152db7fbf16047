"""What the tabs are given: a picture, what is known of it, pictures to try."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hf_vft.data.sources.folders import is_picture_name, visible_files
from hf_vft.serving import figures
from hf_vft.serving.mcp import describe_slices
from hf_vft.serving.service import Service

EXAMPLES = 8
HIDDEN: dict[str, Any] = {"api_visibility": "private"}


def picture_input(gr: Any) -> Any:
    """An image input that hands over the file as it came: decoding it is ours."""
    picture = gr.Image(
        label="Picture",
        type="filepath",
        sources=["upload", "clipboard", "webcam"],
        elem_id="picture",
        height=340,
        alt_text="The picture to be labelled",
    )
    # The endpoints check that it is one of the uploads.
    picture.preprocess = lambda payload: None if payload is None else payload.path
    return picture


def slice_inputs(gr: Any, service: Service) -> Any:
    """What is known of the picture, as a JSON object; the page asks for each column."""
    given = gr.JSON(visible=False, label="slices")
    describe_slices(given, service.slice_columns)
    if not service.slice_columns:
        return given
    report, _ = figures.verdict_of(service.run)
    known = figures.slice_values(report)
    with gr.Accordion("About the picture", open=False), gr.Row():
        fields = [
            gr.Dropdown(
                ["", *known.get(column, [])], value="", label=column, allow_custom_value=True
            )
            for column in service.slice_columns
        ]

    def together(*values: str | None) -> dict[str, str]:
        pairs = zip(service.slice_columns, values, strict=True)
        return {column: value for column, value in pairs if value}

    for one in fields:
        one.change(together, fields, given, **HIDDEN)
    return given


def example_inputs(gr: Any, picture: Any, folder: Path | None) -> None:
    """Pictures of a folder to try with a click, where there are any."""
    if folder is None or not folder.is_dir():
        return
    shown = [str(path) for path in visible_files(folder) if is_picture_name(path)][:EXAMPLES]
    if shown:
        gr.Examples(shown, picture, label="Examples")
