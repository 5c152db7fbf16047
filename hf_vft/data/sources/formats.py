"""The formats of annotation tools: how a folder of each is known, and who reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hf_vft.data.sources.coco import coco_files, read_coco
from hf_vft.data.sources.listing import Listing
from hf_vft.data.sources.read_options import ReadOptions
from hf_vft.data.sources.table import Table
from hf_vft.data.sources.tools.bdd import bdd_files, read_bdd
from hf_vft.data.sources.tools.createml import createml_files, read_createml
from hf_vft.data.sources.tools.cvat import cvat_files, read_cvat
from hf_vft.data.sources.tools.datumaro import datumaro_files, read_datumaro
from hf_vft.data.sources.tools.dota import dota_files, read_dota
from hf_vft.data.sources.tools.kitti import kitti_files, read_kitti
from hf_vft.data.sources.tools.label_studio import label_studio_files, read_label_studio
from hf_vft.data.sources.tools.labelme import labelme_files, read_labelme
from hf_vft.data.sources.tools.oidv4 import oidv4_files, read_oidv4
from hf_vft.data.sources.tools.supervisely import read_supervisely, supervisely_files
from hf_vft.data.sources.tools.tfrecord import read_tfrecord, tfrecord_files
from hf_vft.data.sources.tools.via import read_via, via_files
from hf_vft.data.sources.tools.wider_face import read_wider_face, wider_face_files
from hf_vft.data.sources.unread_formats import UNREAD
from hf_vft.data.sources.voc import read_voc, voc_files
from hf_vft.data.sources.yolo import read_yolo, yolo_labels

BOXES = frozenset({"boxes"})
ANY = BOXES | {"class", "classes"}


@dataclass(frozen=True)
class Format:
    """A format that some tool writes.

    Attributes:
        name: As ``data.format``.
        title: For people.
        recognise: What of a folder is in this format; nothing where none is.
        read: Reads what was recognised.
        kinds: What its labels can be, keys of :data:`hf_vft.data.label_types.KINDS`.
        has_attributes: Whether ``data.label_column`` names one of them.
    """

    name: str
    title: str
    recognise: Callable[[Listing, ReadOptions], Any]
    read: Callable[[Listing, Any, ReadOptions], Table]
    kinds: frozenset[str] = BOXES
    has_attributes: bool = False


FORMATS: tuple[Format, ...] = (
    Format("coco", "COCO", coco_files, read_coco, ANY),
    Format("voc", "Pascal VOC", voc_files, read_voc),
    Format("yolo", "YOLO", yolo_labels, read_yolo),
    Format("cvat", "CVAT's XML", cvat_files, read_cvat, ANY),
    Format("labelme", "LabelMe", labelme_files, read_labelme, ANY),
    Format("createml", "CreateML", createml_files, read_createml, ANY),
    Format("via", "VIA", via_files, read_via, ANY, has_attributes=True),
    Format("supervisely", "Supervisely", supervisely_files, read_supervisely, ANY),
    Format("label-studio", "Label Studio", label_studio_files, read_label_studio, ANY),
    Format("datumaro", "Datumaro", datumaro_files, read_datumaro, ANY),
    Format("kitti", "KITTI", kitti_files, read_kitti),
    Format("dota", "DOTA", dota_files, read_dota),
    Format("oidv4", "OIDv4 ToolKit", oidv4_files, read_oidv4),
    Format("bdd100k", "BDD100K", bdd_files, read_bdd),
    Format("wider-face", "WIDER FACE", wider_face_files, read_wider_face),
    Format("tfrecord", "TFRecord", tfrecord_files, read_tfrecord, ANY),
)
"""The formats that are read; where a folder is in several, the first counts."""


def recognised(listing: Listing, how: ReadOptions) -> list[tuple[Format, Any]]:
    """The formats of annotations in a folder, with what was found of each."""
    wanted = [f for f in FORMATS if how.config.format in (None, f.name) and how.takes(f.kinds)]
    pairs = [(known, known.recognise(listing, how)) for known in wanted]
    return [(known, evidence) for known, evidence in pairs if evidence]


def unread(listing: Listing) -> str | None:
    """The name of a format that is not supported, with advice; None if the format is not known."""
    for unread_format in UNREAD:
        file = unread_format.recognise(listing)
        if file is not None:
            return f"{file} is {unread_format.title}, which is not read: {unread_format.advice}."
    return None


def format_names() -> list[str]:
    """The values of ``data.format``."""
    return ["folders", "table", *(known.name for known in FORMATS)]
