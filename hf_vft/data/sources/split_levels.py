"""Finds out whether the folders of one level are the splits of the data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from hf_vft.data.sources.folder_words import is_container, is_mask_name, split_in_words
from hf_vft.data.sources.table import canonical_split
from hf_vft.errors import DataError


@dataclass(frozen=True)
class SplitLevel:
    """The split that each folder of a level belongs to.

    Attributes:
        splits: Folder name to split; folders that are none are left out.
        classes: Folder name to class where the names tell both, as in ``cat_train``.
    """

    splits: dict[str, str]
    classes: dict[str, str] = field(default_factory=dict)


def split_level(names: Sequence[str], deeper: set[str], where: str) -> SplitLevel | None:
    """Read the names of one level as splits.

    Names that are a split as a whole come first (``train``, ``val``). Names that hold a word for
    one (``seg_train``, ``test_images``, ``train2017``) count where the same name with another
    split is there, too, so that a class ``train_station`` is none.

    Args:
        names: Of the folders.
        deeper: Those of them with folders inside.
        where: The source, for messages.

    Returns:
        None where the level does not divide the data.

    Raises:
        DataError: If two folders are the same split.
    """
    exact = {name: split for name in names if (split := canonical_split(name)) is not None}
    others = [name for name in names if name not in exact]
    if exact and (not others or _train_decides(exact, others, deeper)):
        _refuse_twins(exact, where)
        return SplitLevel(exact)
    return _by_words(names, deeper)


def _train_decides(exact: dict[str, str], others: Sequence[str], deeper: set[str]) -> bool:
    trains = [name for name, split in exact.items() if split == "train"]
    beside = all(is_mask_name(name) or is_container(name) for name in others)
    return bool(trains) and (trains[0] in deeper or (beside and len(exact) > 1))


def _refuse_twins(exact: dict[str, str], where: str) -> None:
    by_split: dict[str, list[str]] = defaultdict(list)
    for name, split in sorted(exact.items()):
        by_split[split].append(name)
    for split, twins in by_split.items():
        if len(twins) > 1:
            raise DataError(
                f"{where}: Folders {twins[0]!r} and {twins[1]!r} both mean {split}: keep one."
            )


def _by_words(names: Sequence[str], deeper: set[str]) -> SplitLevel | None:
    meanings = {name: meaning for name in names if (meaning := split_in_words(name)) is not None}
    by_rest: dict[str, set[str]] = defaultdict(set)
    for split, rest in meanings.values():
        by_rest[rest].add(split)
    divided = {rest for rest, splits in by_rest.items() if "train" in splits and len(splits) > 1}
    if not divided:
        return _each_another(meanings, names, deeper)
    used = {name: split for name, (split, rest) in meanings.items() if rest in divided}
    others = [name for name in names if name not in used]
    trains = [name for name, split in used.items() if split == "train"]
    alike = not deeper and "" not in divided  # bounding_box_train, bounding_box_test, query
    lead_on = set(trains) & deeper or alike
    if others and not lead_on and not _of_the_family(others, divided):
        return None
    classes = {
        rest for rest in divided if rest and not is_container(rest) and not is_mask_name(rest)
    }
    if len(divided) > 1 and classes == divided:
        return SplitLevel(used, {name: meanings[name][1] for name in used})
    return SplitLevel(used)


def _each_another(
    meanings: dict[str, tuple[str, str]], names: Sequence[str], deeper: set[str]
) -> SplitLevel | None:
    """``train_mini`` and ``val``: every folder is another split, and holds folders itself."""
    splits = [split for split, _ in meanings.values()]
    every = len(meanings) == len(names) == len(set(splits)) > 1 and set(names) <= deeper
    if not every or "train" not in splits:
        return None
    return SplitLevel({name: split for name, (split, _) in meanings.items()})


def _of_the_family(others: Sequence[str], rests: set[str]) -> bool:
    """Whether the folders that are no split are called like the splits, or hold no classes."""
    words = {word for rest in rests for word in rest.split()}
    return all(
        is_mask_name(name)
        or is_container(name)
        or bool(words & set(name.casefold().replace("-", "_").split("_")))
        for name in others
    )
