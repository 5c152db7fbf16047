"""TFRecord files, framed by TensorBoard's writer."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image
from tensorboard.summary.writer.record_writer import RecordWriter

from hf_vft.data.sources.tools.tf_example import example_class

Features = dict[str, list[Any]]
_LISTS = {bytes: "bytes_list", float: "float_list", int: "int64_list"}


def encoded(seed: int, size: tuple[int, int] = (40, 30)) -> bytes:
    """An image of one colour as a file."""
    buffer = io.BytesIO()
    Image.new("RGB", size, (seed * 37 % 256, seed * 91 % 256, 90)).save(buffer, "PNG")
    return buffer.getvalue()


def as_records(records: list[Features]) -> bytes:
    """A file with an example for each set of features."""
    file = io.BytesIO()
    writer = RecordWriter(file)
    for features in records:
        example = example_class()()
        for name, values in features.items():
            if values:
                kind = _LISTS[type(values[0])]
                getattr(example.features.feature[name], kind).value.extend(values)
            else:  # as writers leave an empty list: without a kind
                example.features.feature[name].Clear()
        writer.write(example.SerializeToString())
    return file.getvalue()
