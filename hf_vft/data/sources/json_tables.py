"""The rows of a JSON file, in the ways that people write them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from typing import Any

from hf_vft.data.images import IMAGE_SUFFIXES
from hf_vft.data.sources.table import canonical_split


def rows_of(content: object) -> Any:
    """The rows of a table; what is none comes back as it is.

    Read are a list of objects; an object with such a list among plain values; one that goes from
    splits to rows; from classes to names of images; and from names of images to labels.
    """
    if not isinstance(content, dict) or not content:
        return content
    if all(map(is_image_name, content)) and _all(content.values(), (str, int, list)):
        return [{"image": image, "label": label} for image, label in content.items()]
    if all(canonical_split(key) for key in content) and _all(content.values(), (list,)):
        rows = [_row(item, split) for split, held in content.items() for item in held]
        return content if None in rows else rows
    if _all(content.values(), (list,)) and _all_images(content.values()):
        return [{"image": image, "label": name} for name, held in content.items() for image in held]
    tables = [held for held in content.values() if _is_table(held)]
    return tables[0] if len(tables) == 1 else content


def is_image_name(value: object) -> bool:
    """Whether a text ends like the name of an image."""
    return isinstance(value, str) and posixpath.splitext(value)[1].casefold() in IMAGE_SUFFIXES


def _row(item: object, split: str) -> Mapping[str, Any] | None:
    """A row with its split; of ``[image, number, name]`` the last is the label."""
    if isinstance(item, dict):
        return {**item, "split": split}
    if isinstance(item, list) and len(item) in (2, 3) and is_image_name(item[0]):
        return {"image": item[0], "label": item[-1], "split": split}
    return None


def _is_table(held: object) -> bool:
    return (
        isinstance(held, list)
        and bool(held)
        and _all(held, (dict,))
        and sum(map(is_image_name, held[0].values())) == 1  # two are an image and its mask
    )


def _all(values: Iterable[Any], types: tuple[type, ...]) -> bool:
    return all(isinstance(value, types) for value in values)


def _all_images(lists: Iterable[Any]) -> bool:
    held = [item for values in lists for item in values]
    return bool(held) and all(map(is_image_name, held))
