"""The recipe's part on data: which images, which columns, how they are divided."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hf_vft.recipe.base import Auto, PositiveInt, Section


class DataConfig(Section):
    """Images, columns and the split of the data."""

    path: str | None = Field(
        None, description="The images: a folder, a file, a zip, or a dataset's Hub id."
    )
    subset: str | None = Field(None, description="Configuration name of a Hub dataset.")
    format: str | None = Field(
        None, description="What a folder is read as: folders, table, coco, voc, yolo, ..."
    )
    table: str | None = Field(None, description="The file of a folder that describes its images.")
    class_level: PositiveInt | None = Field(
        None,
        description="Of class folders within folders, which level names the class; 1 is the "
        "outermost that is no split.",
    )
    leave_out: list[str] | None = Field(
        None,
        description="Patterns of folders and files that are not read, such as *_mask*. Left out, "
        "these are masks, annotations and copies of the data within itself; [] is nothing.",
    )
    encoding: str | None = Field(
        None, description="Of text files that are not UTF-8, such as cp1252."
    )
    image_column: str = Field("auto", description="The column that names or holds the images.")
    label_column: str = Field(
        "auto", description="A class, a list of classes, or boxes with classes, for each image."
    )
    label_columns: list[str] | Auto = Field(
        "auto", description="Columns of 0 and 1, one for each class, in place of label_column."
    )
    classes: list[str] | None = Field(
        None,
        description="Names for labels that are the numbers 0, 1, 2, ..., or the places of a vector "
        "of 0 and 1.",
    )
    good_class: str | None = Field(
        None,
        description="For anomaly-detection, the class that is learned; every other is an anomaly. "
        "Left out, the only class, or the one with a usual name such as good, ok or normal.",
    )
    label_separator: str | None = Field(
        None,
        min_length=1,
        description="What stands between several labels in a text; none: a text is one label. "
        "Left out, | and ; are taken for separators.",
    )
    missing_labels: list[str] | None = Field(
        None, description="Texts that mean no label. Left out, nan, NA, null and the like."
    )
    uncertain_labels: Literal["ask", "negative", "positive", "leave_out"] = Field(
        "ask", description="What -1 means in columns of 0 and 1; leave_out drops the images."
    )
    box_format: Literal["xywh", "xyxy"] = Field(
        "xywh", description="Boxes of a table: corner and size as in COCO, or two corners."
    )
    time_format: str | None = Field(
        None,
        description="How other images say when they were taken, for the monitor: day_first, "
        "month_first, or a pattern such as %d.%m.%Y %H:%M. Left out, ISO 8601, EXIF and seconds "
        "since 1970 are read by themselves.",
    )
    split_column: str = Field(
        "auto",
        description="A column; none: divide all images anew; source: as its folders say.",
    )
    group_column: str | None = Field(
        None, description="Images of one group (patient, part, camera roll) share a split."
    )
    slice_columns: list[str] = Field(
        default_factory=list, description="Columns that the metrics are also broken down by."
    )
    validation_size: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        0.2, description="Share of the images, where no validation split is given."
    )
    test_size: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        0.2, description="Share of the images, where no test split is given."
    )
    max_pixels: PositiveInt = Field(
        100_000_000, description="Larger images are refused (decompression bombs)."
    )
    bit_depth: Annotated[int, Field(ge=8, le=16)] | Auto = Field(
        "auto",
        description="How many bits the values of images with more than 8 bits a channel use.",
    )
    strict: bool = Field(False, description="Stop at the first unusable image.")
