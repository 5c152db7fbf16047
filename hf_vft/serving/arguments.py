"""Arguments of callers, before Gradio does anything with them.

Gradio fetches an address that stands for a file, copies what it takes for a file from anywhere in
the upload folder, and tells callers what its validation says. All events, hidden ones and those
of tools too, come through `Blocks.preprocess_data`; what is checked there holds for every argument.
What a function cannot do otherwise with what it was given is a line of our log, not a traceback:
callers may give functions that the page alone calls what they like.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from hf_vft.errors import DataError
from hf_vft.serving.file_access import REFUSED, UploadFolder, as_file

_log = logging.getLogger(__name__)
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
        async def process_api(self, block_fn: Any, *given: Any, **options: Any) -> Any:
            try:
                return await super().process_api(block_fn, *given, **options)
            except gr.Error:
                raise
            except Exception as error:  # noqa: BLE001  # Gradio would fill our log with tracebacks
                name = getattr(block_fn, "name", block_fn)
                _log.warning("%s could not be answered: %s.", name, type(error).__name__)
                _log.debug("%s", name, exc_info=True)
                raise gr.Error(UNFIT, print_exception=False) from None

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
