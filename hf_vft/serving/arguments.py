"""Arguments of callers, before Gradio does anything with them.

Gradio fetches an address that stands for a file, copies what it takes for a file from anywhere in
the upload folder, and tells callers what its validation says. All events, hidden ones and those
of tools too, come through `Blocks.preprocess_data`; what is checked there holds for every argument.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hf_vft.errors import DataError
from hf_vft.serving.uploads import REFUSED, UploadFolder, as_file

UNFIT = (
    "an argument is not what this endpoint takes; 'Use via API' at the foot of the page says what "
    "that is."
)


def checked_blocks(gr: Any, uploads: UploadFolder) -> Any:
    """A ``gr.Blocks`` whose file arguments are files of the upload folder.

    Args:
        gr: Gradio.
        uploads: Where these have to be.
    """

    class Checked(gr.Blocks):  # type: ignore[misc]
        async def preprocess_data(
            self, block_fn: Any, inputs: Sequence[Any], state: object, explicit_call: bool = False
        ) -> Any:
            try:
                pairs = zip(block_fn.inputs, inputs, strict=False)
                arguments = [checked(block, value) for block, value in pairs]
                return await super().preprocess_data(block_fn, arguments, state, explicit_call)
            except DataError as error:
                raise gr.Error(str(error), print_exception=False) from None
            except Exception:  # noqa: BLE001  # in a library's words, and with what was given
                raise gr.Error(UNFIT, print_exception=False) from None

    def checked(block: object, value: object) -> Any:
        if not isinstance(block, gr.Image | gr.File):
            return without_files(value)
        if isinstance(value, list):
            return [admitted_file(uploads, item) for item in value]
        return None if value is None else admitted_file(uploads, value)

    return Checked


def admitted_file(uploads: UploadFolder, value: object) -> dict[str, Any]:
    """A file argument in the form that Gradio takes, with nothing but a path that is admitted.

    Raises:
        DataError: If it names anything else.
    """
    path = value.get("path") or value.get("url") if isinstance(value, dict) else value
    return as_file(uploads.admitted(path))


def without_files(value: object) -> Any:
    """A value in which nothing is a file to Gradio.

    Raises:
        DataError: If something is.
    """
    waiting = [value]
    while waiting:
        current = waiting.pop()
        if isinstance(current, dict):
            if "path" in current and "meta" in current:
                raise DataError(REFUSED)
            waiting += current.values()
        elif isinstance(current, list):
            waiting += current
    return value
