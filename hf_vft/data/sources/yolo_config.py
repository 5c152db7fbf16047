"""What the files beside YOLO's labels say: class names, splits, key points."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import yaml

from hf_vft.data.sources.encoding import Text, guess_note, read_text
from hf_vft.data.sources.listing import Listing, has_image_suffix, split_of_path
from hf_vft.data.sources.table import canonical_split
from hf_vft.errors import DataError

NAME_FILES = ("classes.txt", "obj.names", "labels.txt", "_darknet.labels", "classes.names")
_KEYS = ("train", "val", "valid", "validation", "test")


@dataclass(frozen=True)
class YoloConfig:
    """The configuration beside the labels.

    Attributes:
        listing: The folder.
        encoding: What the recipe says of text files.
        notes: One line per doubtful thing.
    """

    listing: Listing
    encoding: str | None = None
    notes: list[str] = field(default_factory=list)
    _known_lists: dict[str, dict[int, str]] = field(default_factory=dict, repr=False)

    @cached_property
    def _yaml(self) -> tuple[str, dict[str, Any]]:
        """The YAML file that describes the data, the outermost first, and its content."""
        files = sorted(self.listing.ending(".yaml", ".yml"), key=lambda f: (f.count("/"), f))
        for file in files:
            content = _as_texts(self.text(file))
            if isinstance(content, dict) and content.get("names"):
                return file, content
        return "", {}

    @property
    def names_file(self) -> str:
        """The file that names the classes, for people."""
        return self._yaml[0] or ", ".join(sorted(set(self._lists.values()))[:3])

    @cached_property
    def _lists(self) -> dict[str, str]:
        """The file of class names of each folder that has one."""
        lists: dict[str, str] = {}
        for file in self.listing.files:
            folder, name = posixpath.split(file)
            if name.casefold() in NAME_FILES or name.casefold().endswith(".names"):
                lists.setdefault(folder, file)
        return lists

    @property
    def known(self) -> bool:
        """Whether anything tells the names of the classes."""
        return bool(self._yaml[1]) or bool(self._lists)

    def names_for(self, label: str) -> dict[int, str]:
        """The names that a label file means: the YAML file's, else those of the nearest list.

        Raises:
            DataError: If there are none, or two classes of one name.
        """
        if self._yaml[1]:
            return self._yaml_names
        folder = posixpath.dirname(label)
        while folder and folder not in self._lists:
            folder = posixpath.dirname(folder)
        file = self._lists.get(folder)
        if file is None and self._lists:
            file = min(self._lists.values(), key=lambda f: (f.count("/"), f))
        if file is None:
            raise DataError(
                f"{self.listing.name}: nothing tells the names of the classes: add a data.yaml "
                "with names, or a classes.txt with one a line."
            )
        return self._list_names(file)

    def note_differing_lists(self) -> None:
        """Say so where the lists of several folders number the classes in different orders."""
        if self._yaml[1]:
            return
        lists = {file: tuple(self._list_names(file).items()) for file in self._lists.values()}
        if len(set(lists.values())) > 1:
            files = " and ".join(sorted(lists)[:3])
            self.notes.append(
                f"{files} number the classes differently, so each counts for its own folder."
            )

    @cached_property
    def _yaml_names(self) -> dict[int, str]:
        file, content = self._yaml
        names = content["names"]
        if isinstance(names, str):  # the path of a list
            listed = self._file_called(names)
            return self._list_names(listed) if listed else {}
        pairs = enumerate(names) if isinstance(names, list) else names.items()
        try:
            return self._distinct({int(key): str(name) for key, name in pairs}, file)
        except (TypeError, ValueError):
            raise DataError(f"{file}: names is neither a list nor a mapping of numbers.") from None

    def _list_names(self, file: str) -> dict[int, str]:
        if file not in self._known_lists:
            self._known_lists[file] = self._read_list(file)
        return self._known_lists[file]

    def _read_list(self, file: str) -> dict[int, str]:
        lines = self.text(file).splitlines()
        names = {n: line.strip() for n, line in enumerate(lines) if line.strip()}
        return self._distinct(names, file)

    def _distinct(self, names: dict[int, str], file: str) -> dict[int, str]:
        if len(set(names.values())) < len(names):
            raise DataError(f"{self.listing.name}: two classes have the same name ({file}).")
        return names

    @cached_property
    def key_points(self) -> int:
        """Number of values after each box that belong to its key points; 0 if there are none."""
        shape = self._yaml[1].get("kpt_shape")
        try:
            return int(shape[0]) * int(shape[1]) if shape else 0
        except (TypeError, ValueError, IndexError):
            raise DataError(f"{self._yaml[0]}: kpt_shape is not two numbers.") from None

    def splits(self) -> tuple[dict[str, str], str]:
        """The split of each image that the files name one for, and where it is said."""
        file, content = self._yaml
        entries = {key: content[key] for key in _KEYS if content.get(key)}
        if not entries:
            file, entries = self._obj_data()
        folders: dict[str, str] = {}
        sources: dict[str, str] = {}
        for key, entry in entries.items():
            split = str(canonical_split(key))
            for path in entry if isinstance(entry, list) else [entry]:
                files = self._images_of(str(path), file)
                twice = {folders[image] for image in files if folders.get(image, split) != split}
                if twice:
                    self.notes.append(
                        f"Leak in {file}: {key} is the same as {' and '.join(sorted(twice))} "
                        f"({path}), so its images are used for {min(twice)} alone."
                    )
                for image in files:
                    folders.setdefault(image, split)
                if files:
                    sources[str(path)] = split
        return folders, file if sources else ""

    def _obj_data(self) -> tuple[str, dict[str, Any]]:
        """What CVAT and darknet write: lists of images for each subset."""
        for file in self.listing.ending(".data"):
            pairs = (line.partition("=") for line in self.text(file).splitlines())
            values = {key.strip().casefold(): value.strip() for key, _, value in pairs}
            entries = {k: values[k] for k in _KEYS if values.get(k)}
            lists = {
                split: file
                for file in self.listing.ending(".txt")
                if "/" not in file
                and (split := split_of_path([posixpath.splitext(file)[0]])) is not None
            }
            return file, lists | {str(canonical_split(key)): v for key, v in entries.items()}
        return "", {}

    def _images_of(self, entry: str, file: str) -> list[str]:
        """The images of a folder or list that ``data.yaml`` names."""
        parts = [p for p in entry.replace("\\", "/").split("/") if p not in ("", ".", "..")]
        if entry.endswith(".txt"):
            named = self._file_called("/".join(parts))
            return self._listed(named) if named else []
        folder = posixpath.dirname(file)
        base = str(self._yaml[1].get("path") or "").replace("\\", "/").split("/")
        for start in (folder, posixpath.join(folder, base[-1]), ""):
            for cut in range(len(parts)):
                prefix = posixpath.normpath(posixpath.join(start, *parts[cut:])) + "/"
                inside = [image for image in self.listing.images if image.startswith(prefix)]
                if inside:
                    return inside
        return []

    def _listed(self, file: str) -> list[str]:
        names = self.text(file).splitlines()
        matches = (
            self.listing.find(name, posixpath.dirname(file)) for name in names if name.strip()
        )
        return [match.file for match in matches if match.file is not None]

    def _file_called(self, name: str) -> str | None:
        last = posixpath.basename(name)
        files = [f for f in self.listing.files if f == name or f.endswith(f"/{name}")]
        files = files or [f for f in self.listing.files if posixpath.basename(f) == last]
        return files[0] if files else None

    def text(self, file: str) -> str:
        """The content of a text file; a guessed encoding is noted."""
        read: Text = read_text(self.listing.path(file), self.encoding, file)
        note = guess_note(file, read)
        if note is not None and note not in self.notes:
            self.notes.append(note)
        return read.text


def name_files(files: Iterable[str]) -> set[str]:
    """Those files that hold class names or lists of images, and no labels."""
    return {
        file
        for file in files
        if posixpath.basename(file).casefold() in NAME_FILES and not has_image_suffix(file)
    }


def _as_texts(text: str) -> Any:
    """YAML with every value as it is written: ``no``, ``on`` and ``010`` are names."""
    try:
        return yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - the safest there is
    except yaml.YAMLError:
        return None
