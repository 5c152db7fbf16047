"""The filter that every file passes on its way to the Hub: no secrets, no paths of this machine.

Texts are rewritten; of TensorBoard's event files only the curves go along, since the texts among
them are the arguments of the training. A secret in anything else stops the push: it would be there
by mistake, and what is pushed is not taken back.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hf_vft.errors import HubError
from hf_vft.utils.redaction import has_secret, without_paths, without_secrets

Content = Mapping[str, Path | bytes]

CARD = "README.md"
TEXTS = frozenset({
    ".json", ".jsonl", ".yaml", ".yml", ".md", ".txt", ".csv", ".tsv", ".html", ".xml", ".toml",
    ".cfg", ".ini", ".log", ".svg", ".gitattributes",
})  # fmt: skip
_EVENTS = ".tfevents."
_WEIGHTS = ".safetensors"
_LOOKED_AT = 64 << 20
"""Bytes at either end of a large file that are looked through: what names things is there."""


def public_files(files: Content) -> dict[str, Path | bytes]:
    """Files as they may be seen by anybody.

    Args:
        files: Path in the repository to file or content.

    Returns:
        The same paths; a file that is public as it is stays what it was.

    Raises:
        HubError: If a card, or a file that is no text, holds a secret.
    """
    return {name: _public(name, content) for name, content in files.items()}


def public_text(text: str) -> str:
    """A text without secrets, and of paths only their last parts."""
    return without_paths(without_secrets(text))


def _public(name: str, content: Path | bytes) -> Path | bytes:
    suffix = Path(name).suffix.lower()
    if _EVENTS in name:
        return _curves(content)
    if suffix not in TEXTS:
        _refuse_secret(name, _ends(content, weights=suffix == _WEIGHTS).decode("latin-1"))
        return content
    try:
        text = _read(content).decode("utf-8")
    except UnicodeDecodeError:
        raise HubError(f"{name} is not UTF-8 text, so it cannot be checked for secrets.") from None
    if name == CARD:  # people wrote it, and what they wrote is not changed behind their backs
        _refuse_secret(name, text)
        return content
    public = _public_json(text) if suffix == ".json" else public_text(text)
    return content if public == text else public.encode()


def _refuse_secret(name: str, text: str) -> None:
    if has_secret(text):
        raise HubError(f"{name} holds a password or a token: take it out, then push again.")


def _public_json(text: str) -> str:
    """By value, so that escaped letters do not hide a path."""
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return public_text(text)
    public = _mapped(tree)
    return text if public == tree else json.dumps(public, indent=2, ensure_ascii=False) + "\n"


def _mapped(tree: object) -> Any:
    if isinstance(tree, str):
        return public_text(tree)
    if isinstance(tree, list):
        return [_mapped(item) for item in tree]
    return {public_text(k): _mapped(v) for k, v in tree.items()} if isinstance(tree, dict) else tree


def _read(content: Path | bytes) -> bytes:
    return content if isinstance(content, bytes) else content.read_bytes()


def _ends(content: Path | bytes, *, weights: bool) -> bytes:
    """What is looked through of a file that is no text; of weights their header."""
    if isinstance(content, bytes):
        return content
    with content.open("rb") as stream:
        if weights:
            return stream.read(min(8 + int.from_bytes(stream.read(8), "little"), _LOOKED_AT))
        head = stream.read(_LOOKED_AT)
        stream.seek(max(len(head), content.stat().st_size - _LOOKED_AT))
        return head + stream.read()


def _curves(content: Path | bytes) -> bytes:
    """An event file with its numbers alone."""
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.record_writer import RecordWriter

    with tempfile.TemporaryDirectory(prefix="hf-vft-curves-") as folder:
        source, target = Path(folder) / "source", Path(folder) / "target"
        source.write_bytes(_read(content))
        with target.open("wb") as stream:
            writer = RecordWriter(stream)
            for record in RawEventFileLoader(str(source)).Load():
                event = Event.FromString(record)
                values = [value for value in event.summary.value if value.HasField("simple_value")]
                if event.HasField("summary"):
                    del event.summary.value[:]
                    event.summary.value.extend(values)
                if values or event.file_version:
                    event.ClearField("source_metadata")
                    writer.write(event.SerializeToString())
            writer.flush()
        return target.read_bytes()
