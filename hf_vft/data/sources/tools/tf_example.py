"""The records of a TFRecord file and the ``tf.train.Example`` in each, without TensorFlow.

A record is its length (8 bytes, little endian), a checksum of that, the data, and a checksum of
the data: https://www.tensorflow.org/tutorials/load_data/tfrecord. The message is that of
tensorflow/core/example/example.proto, described here for protobuf's own parser.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, cast

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

from hf_vft.errors import DataError

Example = Mapping[str, list[Any]]
"""Name of a feature to its values: bytes, floats or integers."""

_HEAD, _FOOT = 12, 4
_GZIP = b"\x1f\x8b"
_LONGEST = 1 << 30
"""No image is longer; what a packed file unpacks to is not known before."""
_LISTS = (("bytes_list", "BytesList", "TYPE_BYTES"), ("float_list", "FloatList", "TYPE_FLOAT"),
          ("int64_list", "Int64List", "TYPE_INT64"))  # fmt: skip


def begins_as_records(file: Path) -> bool:
    """Whether a file begins with the length of a record and its checksum."""
    try:
        with _opened(file) as opened:
            return _length(opened.read(_HEAD)) is not None
    except (OSError, EOFError, zlib.error):
        return False


def examples(file: Path, shown: str) -> Iterator[Example]:
    """The examples in a file, one after the other.

    Args:
        file: To read; no more than one record of it is in memory.
        shown: What it is called in messages.

    Raises:
        DataError: If it is cut off or damaged, or holds something else; names the record.
    """
    try:
        with _opened(file) as opened:
            number = 1
            while head := opened.read(_HEAD):
                where = f"{shown}, record {number}"
                yield _parsed(_record(opened, head, where), where)
                number += 1
    except EOFError:
        raise DataError(f"{shown}: the file is cut off; copy or download it anew.") from None
    except (OSError, zlib.error) as error:
        raise DataError(
            f"{shown} cannot be read: {getattr(error, 'strerror', None) or error}."
        ) from None


def _opened(file: Path) -> BinaryIO:
    """The file, unpacked on the way where it is packed by gzip."""
    with file.open("rb") as opened:
        packed = opened.read(len(_GZIP)) == _GZIP
    return cast("BinaryIO", gzip.open(file)) if packed else file.open("rb")


def _record(opened: BinaryIO, head: bytes, where: str) -> bytes:
    length = _length(head)
    if len(head) == _HEAD and length is None:
        raise DataError(f"{where}: damaged, or not of a TFRecord file (ZLIB ones are not read).")
    data = b"" if length is None else opened.read(min(length, _LONGEST))
    if length is None or len(data) < length or len(opened.read(_FOOT)) < _FOOT:
        raise DataError(f"{where}: the file is cut off here; copy or download it anew.")
    return data


def _length(head: bytes) -> int | None:
    """The length of a record; None where the checksum says that this is none."""
    if len(head) < _HEAD:
        return None
    length, checksum = struct.unpack("<QI", head)
    return int(length) if checksum == masked_checksum(head[:8]) else None


def masked_checksum(data: bytes) -> int:
    """CRC-32C of some bytes, turned and shifted as TFRecord has it."""
    table, crc = _crc_table(), 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


@cache
def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


def _parsed(data: bytes, where: str) -> Example:
    try:
        example = example_class().FromString(data)
    except message.DecodeError:
        raise DataError(f"{where}: damaged, or no tf.train.Example.") from None
    features = {}
    for name, feature in example.features.feature.items():
        kind = feature.WhichOneof("kind")
        features[name] = list(getattr(feature, kind).value) if kind else []
    return features


@cache
def example_class() -> Any:
    """The message class ``Example``, in a pool of its own."""
    file = descriptor_pb2.FileDescriptorProto(name="hf_vft/example.proto", package="hf_vft",
                                              syntax="proto3")  # fmt: skip
    feature = descriptor_pb2.DescriptorProto(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, (field, kind, scalar) in enumerate(_LISTS, start=1):
        values = file.message_type.add(name=kind)
        _field(values, "value", 1, scalar, repeated=True)
        _field(feature, field, number, f".hf_vft.{kind}").oneof_index = 0
    file.message_type.append(feature)
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    _field(entry, "key", 1, "TYPE_STRING")
    _field(entry, "value", 2, ".hf_vft.Feature")
    _field(features, "feature", 1, ".hf_vft.Features.FeatureEntry", repeated=True)
    _field(file.message_type.add(name="Example"), "features", 1, ".hf_vft.Features")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("hf_vft.Example"))


def _field(owner: Any, name: str, number: int, kind: str, *, repeated: bool = False) -> Any:
    types = descriptor_pb2.FieldDescriptorProto
    field = owner.field.add(name=name, number=number)
    field.label = types.LABEL_REPEATED if repeated else types.LABEL_OPTIONAL
    if kind.startswith("."):
        field.type, field.type_name = types.TYPE_MESSAGE, kind
    else:
        field.type = getattr(types, kind)
    return field
