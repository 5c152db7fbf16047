"""What the tabs are given: an image, what is known of it, images to try."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from hf_vft.data.sources.folders import is_image_name, visible_files
from hf_vft.serving import run_tables
from hf_vft.serving.mcp import describe_slices
from hf_vft.serving.service import Service

EXAMPLES = 8
HIDDEN: dict[str, Any] = {"api_visibility": "private"}

HIDE = "hidden"
"""There, but not to be seen. What Gradio has not put on the page yet it adds when it is shown, and
a value that comes in the meantime may be lost."""


def image_input(gr: ModuleType) -> Any:
    """An image input that hands over the file as it came: decoding it is ours."""
    image = gr.Image(
        label="Image",
        type="filepath",
        sources=["upload", "clipboard", "webcam"],
        elem_id="image",
        height=340,
        alt_text="The image to be labelled",
    )
    # The endpoints check that it is one of the uploads.
    image.preprocess = lambda payload: None if payload is None else payload.path
    return image


def slice_inputs(gr: ModuleType, service: Service) -> Any:
    """The slice values of the image as a JSON object; the page asks for each column."""
    given = gr.JSON(visible=False, label="slices")
    describe_slices(given, service.slice_columns)
    if not service.slice_columns:
        return given
    report, _ = run_tables.verdict_of(service.run)
    known = run_tables.slice_values(report)
    with gr.Accordion("About the image", open=False), gr.Row():
        fields = [
            gr.Dropdown(
                ["", *known.get(column, [])], value="", label=column, allow_custom_value=True
            )
            for column in service.slice_columns
        ]

    def together(*values: str | None) -> dict[str, str]:
        pairs = zip(service.slice_columns, values, strict=True)
        return {column: value for column, value in pairs if value}

    for field in fields:
        field.change(together, fields, given, **HIDDEN)
    return given


def example_inputs(gr: ModuleType, image: object, folder: Path | None) -> None:
    """Images of a folder to try with a click, where there are any."""
    if folder is None or not folder.is_dir():
        return
    shown = [str(path) for path in visible_files(folder) if is_image_name(path)][:EXAMPLES]
    if shown:
        gr.Examples(shown, image, label="Examples")


def visible_if(shown: object) -> bool | str:
    """Gradio's visibility of a component: fully visible or not at all."""
    return True if shown else HIDE
