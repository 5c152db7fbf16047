"""What people wrote on a model card stays when hf-vft writes it again.

A generated section stands between ``<!-- hf-vft:NAME DIGEST -->`` and ``<!-- /hf-vft:NAME -->``.
The digest tells whether somebody has changed the section: then it is theirs. One more digest, of
the whole page, tells whether it was touched at all.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from hf_vft.utils.yaml_text import parse_yaml

_SECTION = re.compile(
    r"<!-- hf-vft:(?P<name>[a-z]+)(?: (?P<digest>[0-9a-f]{12}))? -->\n(?P<body>.*?)"
    r"<!-- /hf-vft:(?P=name) -->",
    re.S,
)
_PAGE = re.compile(r"\n*<!-- hf-vft-page ([0-9a-f]{12}) -->\n?")
_FRONT = re.compile(r"\A---\r?\n(.*?)\r?\n---\r?\n", re.S)

OURS = ("library_name", "pipeline_tag", "base_model", "model-index")
"""Metadata that says what was trained and measured: always as it was recorded."""
JOINED = ("tags", "datasets", "metrics")
"""Lists to which people add."""


@dataclass(frozen=True)
class Merged:
    """A card that is ready to be written.

    Attributes:
        text: The whole page, front matter included.
        notes: What was left to the people who had changed it, a line each.
    """

    text: str
    notes: list[str] = field(default_factory=list)


def sealed(metadata: Mapping[str, Any], body: str) -> str:
    """A page with the digests of its sections, and of itself."""
    dumped = yaml.safe_dump(dict(metadata), sort_keys=False, allow_unicode=True, width=100)
    page = f"---\n{dumped}---\n\n{_SECTION.sub(_sealed_section, body).strip()}\n"
    return f"{page}\n<!-- hf-vft-page {_digest(page)} -->\n"


def is_edited(page: str) -> bool:
    """Whether somebody has changed the page since hf-vft wrote it; True if hf-vft never did."""
    match = _PAGE.search(page)
    if not match:
        return True
    return _digest(page[: match.start()] + "\n" + page[match.end() :]) != match[1]


def parsed(page: str) -> tuple[dict[str, Any], str]:
    """Metadata and body of a page; metadata that is no mapping counts as none."""
    match = _FRONT.match(page)
    if not match:
        return {}, _PAGE.sub("\n", page)
    try:
        metadata = parse_yaml(match[1])
    except ValueError:
        metadata = None
    return (
        metadata if isinstance(metadata, dict) else {},
        _PAGE.sub("\n", page[match.end() :]),
    )


def merge(old: str | None, new: str) -> Merged:
    """A newly generated page, with what people wrote on the old one.

    Args:
        old: The page as it is now; None if there is none.
        new: From ``sealed``.

    Returns:
        Generated sections that nobody touched are those of ``new``; a section that was changed
        or taken out, and everything outside of the sections, is as in ``old``. An old page
        without any generated section is kept above the new one.
    """
    if old is None:
        return Merged(new)
    (old_data, old_body), (new_data, new_body) = parsed(old), parsed(new)
    metadata = merge_metadata(old_data, new_data)
    if not old_body.strip():
        return Merged(sealed(metadata, new_body))
    if not _SECTION.search(old_body):
        note = "The card on the Hub is kept, above the generated sections."
        return Merged(sealed(metadata, f"{old_body.strip()}\n\n{new_body}"), [note])
    fresh = {section["name"]: section["body"] for section in _SECTION.finditer(new_body)}
    notes: list[str] = []

    def chosen(section: re.Match[str]) -> str:
        name = section["name"]
        if section["digest"] and section["digest"] != _digest(section["body"]):
            notes.append(f"The section {name!r} of the card was changed by hand and is kept.")
            # Without a digest it stays what it is: no longer ours.
            return f"<!-- hf-vft:{name} {'0' * 12} -->\n{section['body']}<!-- /hf-vft:{name} -->"
        return f"<!-- hf-vft:{name} -->\n{fresh.get(name, '')}<!-- /hf-vft:{name} -->"

    body = _SECTION.sub(chosen, old_body)
    gone = sorted(set(fresh) - {section["name"] for section in _SECTION.finditer(old_body)})
    notes += [f"The section {name!r} was taken out of the card and stays out." for name in gone]
    return Merged(sealed(metadata, body), notes)


def merge_metadata(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Front matter: recorded facts as they are now, the rest as people set it."""
    merged = dict(new) | {key: value for key, value in old.items() if key not in OURS}
    for key in JOINED:
        listed = [*_as_list(new.get(key)), *_as_list(old.get(key))]
        if listed:
            merged[key] = list(dict.fromkeys(listed))
    return {key: merged[key] for key in [*new, *(k for k in merged if k not in new)]}


def _sealed_section(section: re.Match[str]) -> str:
    name, body = section["name"], section["body"]
    digest = section["digest"] or _digest(body)
    return f"<!-- hf-vft:{name} {digest} -->\n{body}<!-- /hf-vft:{name} -->"


def _digest(text: str) -> str:
    return hashlib.sha256(text.strip().replace("\r\n", "\n").encode()).hexdigest()[:12]


def _as_list(value: object) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]
