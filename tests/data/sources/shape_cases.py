"""The shapes that are read, asked about or refused; docs/data-formats.md is made from them."""

from __future__ import annotations

import json
from typing import Any

from tests.data.sources.shapes import IMAGE, Shape, lines, numbered

ABC, AB = "abc", "ab"


def coco(
    names: list[str], *, boxes: bool = True, size: tuple[int, int] = IMAGE, **more: Any
) -> str:
    """A COCO file with one annotation for each image, of classes a and b in turns."""
    annotations = [
        {
            "id": n,
            "image_id": n,
            "category_id": n % 2 + 1,
            **({"bbox": [2, 3, 8, 6]} if boxes else {}),
        }
        for n in range(len(names))
    ]
    images = [
        {"id": n, "file_name": name, "width": size[0], "height": size[1]}
        for n, name in enumerate(names)
    ]
    categories = [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]
    return json.dumps(
        {"images": images, "annotations": annotations, "categories": categories} | more
    )


def voc(n: int, name: str | None = None) -> str:
    filename = f"v{n}.jpg" if name is None else name
    return (
        f"<annotation><filename>{filename}</filename><object><name>{AB[n % 2]}</name><bndbox>"
        "<xmin>2</xmin><ymin>3</ymin><xmax>10</xmax><ymax>9</ymax></bndbox></object></annotation>"
    )


def yolo(n: int) -> str:
    return f"{n % 2} 0.375 0.5 0.5 0.5\n"


BOX = ((2.0, 3.0, 8.0, 6.0), "a")

SPLITS = [
    Shape(
        "splits in names",
        "train-set, test-set",
        {
            "train-set/oak/{0..4}.png": IMAGE,
            "train-set/elm/{0..4}.png": IMAGE,
            "test-set/oak/{0..2}.png": IMAGE,
            "test-set/elm/{0..2}.png": IMAGE,
        },
        labels=("elm", "oak"),
        splits={"train": 10, "test": 6},
        says=("from train-set, test-set",),
    ),
    Shape(
        "splits in names",
        "a class and a split in each name",
        {
            "oak_train/{0..4}.png": IMAGE,
            "elm_train/{0..4}.png": IMAGE,
            "oak_val/{0..2}.png": IMAGE,
            "elm_val/{0..2}.png": IMAGE,
        },
        labels=("elm", "oak"),
        splits={"train": 10, "validation": 6},
    ),
    Shape(
        "splits in names",
        "a class called test strip",
        {
            "test strip/{0..5}.png": IMAGE,
            "pipette/{0..5}.png": IMAGE,
        },
        labels=("pipette", "test strip"),
    ),
    Shape(
        "splits in names",
        "a station of trains and a bus stop",
        {
            "train_station/{0..5}.png": IMAGE,
            "bus_stop/{0..5}.png": IMAGE,
            "test_track/{0..5}.png": IMAGE,
        },
        labels=("bus_stop", "test_track", "train_station"),
    ),
    Shape(
        "splits at any level",
        "site, split, class",
        {
            "north/training/ok/{0..2}.png": IMAGE,
            "north/training/bad/{0..2}.png": IMAGE,
            "north/testing/ok/{0..1}.png": IMAGE,
            "north/testing/bad/{0..1}.png": IMAGE,
            "south/training/ok/{0..2}.png": IMAGE,
            "south/training/bad/{0..2}.png": IMAGE,
            "south/testing/ok/{0..1}.png": IMAGE,
            "south/testing/bad/{0..1}.png": IMAGE,
        },
        labels=("bad", "ok"),
        splits={"train": 12, "test": 8},
        says=("inner",),
        tool="several sites",
    ),
    Shape(
        "splits at any level",
        "images below class and split",
        {
            "oak/train/images/{0..3}.png": IMAGE,
            "oak/val/images/{0..2}.png": IMAGE,
            "elm/train/images/{0..3}.png": IMAGE,
            "elm/val/images/{0..2}.png": IMAGE,
        },
        labels=("elm", "oak"),
        splits={"train": 8, "validation": 6},
    ),
    Shape(
        "splits at any level",
        "paths of a table with the split in the middle",
        {
            "v2/valid/raw/{0..2}.png": IMAGE,
            "v2/train/raw/{3..8}.png": IMAGE,
            "list.csv": numbered(
                "path,label",
                9,
                lambda n: f"v2/{'valid' if n < 3 else 'train'}/raw/{n}.png,{AB[n % 2]}",
            ),
        },
        open="list.csv",
        labels=("a", "b"),
        splits={"train": 6, "validation": 3},
    ),
]

MASKS = [
    Shape(
        "masks are no classes",
        "images and masks below each class",
        {
            "covid/images/{0..4}.png": IMAGE,
            "covid/masks/{0..4}.png": IMAGE,
            "normal/images/{0..4}.png": IMAGE,
            "normal/masks/{0..4}.png": IMAGE,
        },
        labels=("covid", "normal"),
        says=("covid/masks (5 images: masks or annotations)",),
        tool="COVID-19 Radiography",
    ),
    Shape(
        "masks are no classes",
        "img and gt",
        {
            "img/{0..4}.png": IMAGE,
            "gt/{0..4}.png": IMAGE,
        },
        error="in gt, masks or annotations of the same images",
    ),
    Shape(
        "masks are no classes",
        "people with masks and without",
        {
            "with_mask/{0..5}.png": IMAGE,
            "without_mask/{0..5}.png": IMAGE,
        },
        labels=("with_mask", "without_mask"),
        tool="face mask detection",
    ),
    Shape(
        "masks are no classes",
        "train and trainannot",
        {
            "train/{0..4}.png": IMAGE,
            "trainannot/{0..4}.png": IMAGE,
            "val/{0..2}.png": IMAGE,
            "valannot/{0..2}.png": IMAGE,
        },
        error="masks or annotations of the same images",
        tool="CamVid",
    ),
    Shape(
        "masks beside images",
        "name_segmentation",
        {
            "mole/ISIC_{1..4}.jpg": IMAGE,
            "mole/ISIC_{1..4}_segmentation.png": IMAGE,
            "melanoma/ISIC_{5..8}.jpg": IMAGE,
            "melanoma/ISIC_{5..8}_segmentation.png": IMAGE,
        },
        labels=("melanoma", "mole"),
        says=("8 files",),
        tool="ISIC",
    ),
    Shape(
        "masks beside images",
        "several masks of an image",
        {
            "a/{1..4}.png": IMAGE,
            "a/{1..4}_mask_1.png": IMAGE,
            "a/{1..4}_mask_2.png": IMAGE,
            "b/{1..4}.png": IMAGE,
        },
        labels=("a", "b"),
        says=("8 files",),
        tool="BUSI",
    ),
    Shape(
        "folders without an image",
        "csv and documents beside classes",
        {
            "cat/{0..5}.jpg": IMAGE,
            "dog/{0..5}.jpg": IMAGE,
            "docs/a.pdf": b"%PDF",
            "csv/x.txt": "x",
        },
        labels=("cat", "dog"),
        says=("docs (1 file: no images)",),
    ),
    Shape(
        "folders without an image",
        "labels of DOTA",
        {
            "images/P{0..4}.png": IMAGE,
            "labelTxt/P{0..4}.txt": "1 2 9 2 9 8 1 8 plane 0\n",
        },
        error="labels of DOTA",
        tool="DOTA",
    ),
]

LEVELS = [
    Shape(
        "levels of folders",
        "the inner names repeat below patients",
        {f"patient{p}/{c}/{{0..1}}.png": IMAGE for p in range(4) for c in ("benign", "malign")},
        labels=("benign", "malign"),
        says=("the inner ones are the classes", "data.class_level=1"),
    ),
    Shape(
        "levels of folders",
        "magnifications below classes",
        {
            f"{c}/{s}/{m}/{{0..1}}.png": IMAGE
            for c, s in (("benign", "adenosis"), ("malignant", "ductal"))
            for m in ("40X", "100X")
        },
        labels=("benign", "malignant"),
        says=("the outer ones are the classes",),
        tool="BreakHis",
    ),
    Shape(
        "levels of folders",
        "another level is asked for",
        {
            "Rosa/canina/{0..3}.png": IMAGE,
            "Rosa/rugosa/{0..3}.png": IMAGE,
            "Acer/rubrum/{0..3}.png": IMAGE,
        },
        labels=("canina", "rubrum", "rugosa"),
        config={"class_level": 2},
    ),
    Shape(
        "levels of folders",
        "days above classes",
        {f"2023-05-0{d}/{c}/{{0..2}}.png": IMAGE for d in (1, 2) for c in ("crack", "none")},
        labels=("crack", "none"),
    ),
    Shape(
        "levels of folders",
        "folds above classes",
        {f"fold_{d}/{c}/{{0..2}}.png": IMAGE for d in (1, 2, 3) for c in ("crack", "none")},
        labels=("crack", "none"),
    ),
    Shape(
        "levels of folders",
        "parts alone",
        {
            "photos_part_1/{0..4}.png": IMAGE,
            "photos_part_2/{5..9}.png": IMAGE,
        },
        error="no folder names a class",
    ),
    Shape(
        "levels of folders",
        "digits below writers",
        {f"writer_{w}/{c}/{{0..1}}.png": IMAGE for w in range(3) for c in range(3)},
        labels=("0", "1", "2"),
        says=("data.class_level=1",),
    ),
    Shape(
        "levels of folders",
        "products with some defects in common",
        {
            f"{p}/{d}/{{0..1}}.png": IMAGE
            for p, ds in (
                ("bottle", ("good", "contamination", "broken")),
                ("cable", ("good", "cut", "bent")),
            )
            for d in ds
        },
        error="could be the outer or the inner folders",
        tool="MVTec AD",
    ),
    Shape(
        "a data set within itself",
        "twice the same name",
        {
            "flowers/rose/{0..4}.png": IMAGE,
            "flowers/lily/{0..4}.png": IMAGE,
            "flowers/flowers/rose/{0..4}.png": IMAGE,
            "flowers/flowers/lily/{0..4}.png": IMAGE,
        },
        labels=("lily", "rose"),
        says=("its folders are called as those beside it",),
    ),
    Shape(
        "a data set within itself",
        "splits once more",
        {
            "train/a/{0..4}.png": IMAGE,
            "train/b/{0..4}.png": IMAGE,
            "test/a/{0..1}.png": IMAGE,
            "test/b/{0..1}.png": IMAGE,
            "xray/train/a/{0..4}.png": IMAGE,
            "xray/train/b/{0..4}.png": IMAGE,
            "xray/test/a/{0..1}.png": IMAGE,
            "xray/test/b/{0..1}.png": IMAGE,
        },
        labels=("a", "b"),
        splits={"train": 10, "test": 4},
        says=("xray (14 images",),
    ),
    Shape(
        "what systems leave behind",
        "a recycle bin and snapshots",
        {
            "a/{0..5}.jpg": IMAGE,
            "b/{0..5}.jpg": IMAGE,
            "#recycle/a/{0..3}.jpg": IMAGE,
            "$RECYCLE.BIN/x/{0..3}.jpg": IMAGE,
            "a/@eaDir/0.jpg/t.jpg": IMAGE,
        },
        labels=("a", "b"),
    ),
    Shape(
        "the only folder",
        "two wrappers and a licence",
        {
            "archive/flowers/rose/{0..5}.png": IMAGE,
            "archive/flowers/lily/{0..5}.png": IMAGE,
            "LICENSE": "x",
            "archive/README.txt": "x",
        },
        labels=("lily", "rose"),
    ),
]

NINE = {"p{0..8}.jpg": IMAGE}

TABLES = [
    Shape(
        "labels.csv beside images",
        "and a submission",
        {
            "train/{0..8}.png": IMAGE,
            "test/{9..11}.png": IMAGE,
            "train_labels.csv": numbered("id,has_cactus", 9, lambda n: f"{n}.png,{n % 2}"),
            "sample_submission.csv": numbered("id,has_cactus", 3, lambda n: f"{n + 9}.png,0.5"),
        },
        labels=("0", "1"),
        says=("train_labels.csv", "column 'has_cactus'"),
        tool="Kaggle",
    ),
    Shape(
        "labels.csv beside images",
        "a table for each split",
        {
            "pics/{0..11}.png": IMAGE,
            "train.csv": numbered("file,label", 8, lambda n: f"{n}.png,{AB[n % 2]}"),
            "val.csv": numbered("file,label", 4, lambda n: f"{n + 8}.png,{AB[n % 2]}"),
        },
        labels=("a", "b"),
        splits={"train": 8, "validation": 4},
        says=("train.csv, val.csv",),
    ),
    Shape(
        "labels.csv beside images",
        "it says what the folders say",
        {
            "cat/{0..4}.png": IMAGE,
            "dog/{5..9}.png": IMAGE,
            "labels.csv": numbered(
                "path,label,site",
                10,
                lambda n: f"{'cat' if n < 5 else 'dog'}/{n}.png,{'C' if n < 5 else 'D'},s{n % 3}",
            ),
        },
        labels=("C", "D"),
    ),
    Shape(
        "labels.csv beside images",
        "it says another thing than the folders",
        {
            "clinic_a/{0..4}.png": IMAGE,
            "clinic_b/{5..9}.png": IMAGE,
            "labels.csv": numbered(
                "path,diagnosis",
                10,
                lambda n: f"clinic_{'a' if n < 5 else 'b'}/{n}.png,{('flu', 'cold')[n % 2]}",
            ),
        },
        error="data.label_column=diagnosis",
    ),
    Shape(
        "ids without ending",
        "in part folders, another format",
        {
            "part_1/img_{0..4}.png": IMAGE,
            "part_2/img_{5..8}.png": IMAGE,
            "meta.csv": numbered("image_id,dx,age", 9, lambda n: f"img_{n},{ABC[n % 3]},{n}"),
        },
        labels=("a", "b", "c"),
        says=("names without their ending",),
        tool="HAM10000",
    ),
    Shape(
        "ids without ending",
        "numbers",
        {
            "images/{10..18}.jpg": IMAGE,
            "labels.csv": numbered("id,label", 9, lambda n: f"{n + 10},{AB[n % 2]}"),
        },
        open="labels.csv",
        labels=("a", "b"),
        says=("names without their ending",),
    ),
    Shape(
        "ids without ending",
        "converted to another format since",
        {
            "images/{0..8}.png": IMAGE,
            "labels.csv": numbered("image,label", 9, lambda n: f"{n}.tif,{AB[n % 2]}"),
        },
        labels=("a", "b"),
        says=("names without their ending",),
    ),
    Shape(
        "paths of another machine",
        "of Windows",
        {
            "photos/{0..8}.jpg": IMAGE,
            "labels.csv": numbered(
                "path,label", 9, lambda n: f"C:\\Users\\me\\photos\\{n}.jpg,{AB[n % 2]}"
            ),
        },
        open="labels.csv",
        labels=("a", "b"),
        says=("paths of another place",),
    ),
    Shape(
        "paths of another machine",
        "the folder that holds the table is named",
        {
            "train/p1/{0..3}.jpg": IMAGE,
            "train/p2/{4..8}.jpg": IMAGE,
            "train.csv": numbered(
                "Path,label",
                9,
                lambda n: f"Set-v1.0/train/p{1 if n < 4 else 2}/{n}.jpg,{AB[n % 2]}",
            ),
        },
        labels=("a", "b"),
        says=("paths of another place",),
        tool="CheXpert",
    ),
    Shape(
        "paths of another machine",
        "the same name in two folders",
        {
            "camA/{0..4}.jpg": IMAGE,
            "camB/{0..4}.jpg": IMAGE,
            "labels.csv": numbered("image,label", 5, lambda n: f"{n}.jpg,{AB[n % 2]}"),
        },
        error="could be 2 images",
    ),
    Shape(
        "paths of another machine",
        "none of them is there",
        {
            "x/q{0..3}.jpg": IMAGE,
            "labels.csv": numbered("image,label", 5, lambda n: f"/mnt/d/z{n}.jpg,{AB[n % 2]}"),
        },
        open="labels.csv",
        error="the first is '/mnt/d/z0.jpg'",
    ),
    Shape(
        "no header",
        "a table of boxes",
        {
            "im{0..5}.jpg": IMAGE,
            "annotations.csv": lines(*(f"im{n}.jpg,2,3,10,9,{AB[n % 2]}" for n in range(6))),
        },
        open="annotations.csv",
        labels=("a", "b"),
        what="boxes",
        first=("im0.jpg", BOX),
        says=("no header",),
        tool="Roboflow RetinaNet, keras-retinanet",
    ),
    Shape(
        "no header",
        "label first",
        {
            **NINE,
            "list.csv": lines(*(f"{AB[n % 2]},p{n}.jpg" for n in range(9))),
        },
        open="list.csv",
        labels=("a", "b"),
        says=("no header",),
    ),
    Shape(
        "an unknown label column",
        "several columns of text",
        {
            **NINE,
            "list.csv": numbered(
                "image,soil,crop", 9, lambda n: f"p{n}.jpg,{('clay', 'sand')[n % 2]},{ABC[n % 3]}"
            ),
        },
        open="list.csv",
        error="--set data.label_column=soil (2 classes: clay, sand)",
    ),
    Shape(
        "an unknown label column",
        "the only one that repeats",
        {
            **NINE,
            "list.csv": numbered(
                "image,soil,comment", 9, lambda n: f"p{n}.jpg,{('clay', 'sand')[n % 2]},seen {n}"
            ),
        },
        open="list.csv",
        labels=("clay", "sand"),
        says=("set data.label_column",),
    ),
    Shape(
        "an unknown label column",
        "attributes are none",
        {
            **NINE,
            "list.csv": numbered(
                "image,sex,view,finding_name",
                9,
                lambda n: f"p{n}.jpg,{'mf'[n % 2]},{('PA', 'AP')[n % 2]},{ABC[n % 3]}",
            ),
        },
        open="list.csv",
        labels=("a", "b", "c"),
    ),
    Shape(
        "columns of 0 and 1",
        "beside a text column",
        {
            **NINE,
            "list.csv": numbered(
                "image,fever,cough,outcome",
                9,
                lambda n: f"p{n}.jpg,{n % 2},{n // 2 % 2},{('well', 'ill')[n % 2]}",
            ),
        },
        open="list.csv",
        error="data.label_columns=[fever,cough]",
    ),
    Shape(
        "columns of 0 and 1",
        "written as 1.0 and 0.0",
        {
            **NINE,
            "truth.csv": numbered(
                "image,MEL,NV", 9, lambda n: f"p{n},{float(n % 2)},{float(1 - n % 2)}"
            ),
        },
        open="truth.csv",
        labels=("MEL", "NV"),
        what="classes",
        says=("Exactly one of 2 columns",),
        tool="ISIC",
    ),
    Shape(
        "columns of 0 and 1",
        "uncertain ones as a rule says",
        {
            **NINE,
            "list.csv": numbered(
                "image,edema,fracture", 9, lambda n: f"p{n}.jpg,{(1, 0, -1)[n % 3]},{n % 2}"
            ),
        },
        open="list.csv",
        labels=("edema", "fracture"),
        what="classes",
        config={"uncertain_labels": "positive"},
        first=("p2.jpg", "edema"),
        tool="CheXpert",
    ),
    Shape(
        "columns of 0 and 1",
        "uncertain and blank",
        {
            **NINE,
            "list.csv": numbered(
                "image,edema,fracture",
                9,
                lambda n: f"p{n}.jpg,{('1.0', '', '-1.0')[n % 3]},{n % 2}",
            ),
        },
        open="list.csv",
        error="data.uncertain_labels",
        tool="CheXpert",
    ),
    Shape(
        "missing labels",
        "NA in a numbered column",
        {
            **NINE,
            "list.csv": numbered("image,label", 9, lambda n: f"p{n}.jpg,{(0, 1, 'NA')[n % 3]}"),
        },
        open="list.csv",
        labels=("0", "1"),
        says=("taken for no label",),
        tool="R",
    ),
    Shape(
        "missing labels",
        "-1 for the test set",
        {
            **NINE,
            "list.jsonl": lines(
                *(json.dumps({"image": f"p{n}.jpg", "label": (0, 1, -1)[n % 3]}) for n in range(9))
            ),
        },
        open="list.jsonl",
        labels=("0", "1"),
        says=("'-1' in 3 rows",),
    ),
    Shape(
        "missing labels",
        "none is a class",
        {
            **NINE,
            "list.csv": numbered(
                "image,label", 9, lambda n: f"p{n}.jpg,{('crack', 'none')[n % 2]}"
            ),
        },
        open="list.csv",
        labels=("crack", "none"),
    ),
    Shape(
        "several labels",
        "a list as text",
        {
            **NINE,
            "list.csv": numbered(
                "image;labels",
                9,
                lambda n: "p%d.jpg;['a']" % n if n % 2 else "p%d.jpg;['a', 'b']" % n,
            ),
        },
        open="list.csv",
        labels=("a", "b"),
        what="classes",
        first=("p0.jpg", "a, b"),
        tool="pandas",
    ),
    Shape(
        "several labels",
        "a vector as text",
        {
            **NINE,
            "list.csv": numbered("image;target", 9, lambda n: f"p{n}.jpg;[1 {n % 2} 0]"),
        },
        open="list.csv",
        labels=("0", "1"),
        what="classes",
        first=("p1.jpg", "0, 1"),
        tool="numpy",
    ),
    Shape(
        "several labels",
        "one row for each",
        {
            **NINE,
            "list.csv": lines(
                "image,label",
                *(f"p{n}.jpg,{c}" for n in range(9) for c in ("ab" if n % 2 else "c")),
            ),
        },
        open="list.csv",
        labels=("a", "b", "c"),
        what="classes",
        first=("p1.jpg", "a, b"),
        says=("one row for each label",),
    ),
    Shape(
        "several labels",
        "tags with blanks",
        {
            **NINE,
            "list.csv": numbered(
                "image_name,tags",
                9,
                lambda n: f"p{n},{('haze primary', 'clear primary', 'clear water primary')[n % 3]}",
            ),
        },
        open="list.csv",
        labels=("clear", "haze", "primary", "water"),
        what="classes",
        tool="planet: understanding the Amazon",
    ),
    Shape(
        "several labels",
        "blanks in names",
        {
            **NINE,
            "list.csv": numbered(
                "image,label", 9, lambda n: f"p{n}.jpg,{('red car', 'blue car', 'red bus')[n % 3]}"
            ),
        },
        open="list.csv",
        labels=("blue car", "red bus", "red car"),
    ),
    Shape(
        "several labels",
        "towns with a comma",
        {
            **NINE,
            "list.csv": numbered(
                "image;label",
                9,
                lambda n: f"p{n}.jpg;{('Lyon, France', 'Nice, France', 'Bonn')[n % 3]}",
            ),
        },
        open="list.csv",
        labels=("Bonn", "Lyon, France", "Nice, France"),
        says=("hold ','",),
    ),
    Shape(
        "several labels",
        "findings with a bar",
        {
            **NINE,
            "list.csv": numbered(
                "Image Index,Finding Labels,Patient Age",
                9,
                lambda n: f"p{n}.jpg,{('Mass', 'Edema', 'Mass|Edema')[n % 3]},{n + 40}",
            ),
        },
        open="list.csv",
        labels=("Edema", "Mass"),
        what="classes",
        tool="ChestX-ray14",
    ),
    Shape(
        "several labels",
        "an object from names to lists",
        {
            **NINE,
            "list.json": json.dumps(
                {f"p{n}.jpg": ["a"] if n % 2 else ["a", "b"] for n in range(9)}
            ),
        },
        open="list.json",
        labels=("a", "b"),
        what="classes",
    ),
    Shape(
        "tables of boxes",
        "corners sorted by axis, as shares",
        {
            "{0..5}.jpg": IMAGE,
            "boxes.csv": numbered(
                "ImageID,Source,LabelName,XMin,XMax,YMin,YMax",
                6,
                lambda n: f"{n},x,{AB[n % 2]},0.125,0.625,0.25,0.75",
            ),
        },
        open="boxes.csv",
        labels=("a", "b"),
        what="boxes",
        first=("0.jpg", BOX),
        tool="Open Images",
    ),
    Shape(
        "tables of boxes",
        "with empty rows",
        {
            "im{0..5}.jpg": IMAGE,
            "export.csv": lines(
                '"image","xmin","ymin","xmax","ymax","label"',
                *(f'"im{n}.jpg",2,3,10,9,"{AB[n % 2]}"' for n in range(5)),
                '"im5.jpg",,,,,',
            ),
        },
        labels=("a", "b"),
        what="boxes",
        first=("im0.jpg", BOX),
        tool="VoTT",
    ),
    Shape(
        "tables of boxes",
        "corner and size",
        {
            "im{0..5}.jpg": IMAGE,
            "boxes.csv": numbered(
                "image_id,class_name,x,y,width,height", 6, lambda n: f"im{n},{AB[n % 2]},2,3,8,6"
            ),
        },
        labels=("a", "b"),
        what="boxes",
        first=("im0.jpg", BOX),
    ),
    Shape(
        "tables of boxes",
        "a table in each split",
        {
            "train/{0..5}.jpg": IMAGE,
            "valid/{6..8}.jpg": IMAGE,
            "train/_annotations.csv": numbered(
                "filename,width,height,class,xmin,ymin,xmax,ymax",
                6,
                lambda n: f"{n}.jpg,16,12,{AB[n % 2]},2,3,10,9",
            ),
            "valid/_annotations.csv": numbered(
                "filename,width,height,class,xmin,ymin,xmax,ymax",
                3,
                lambda n: f"{n + 6}.jpg,16,12,{AB[n % 2]},2,3,10,9",
            ),
        },
        labels=("a", "b"),
        what="boxes",
        splits={"train": 6, "validation": 3},
        first=("train/0.jpg", BOX),
        tool="Roboflow Tensorflow CSV",
    ),
    Shape(
        "tables of boxes",
        "a list in a text, no class",
        {
            "im{0..5}.jpg": IMAGE,
            "train.csv": numbered(
                "image_id;width;height;bbox", 6, lambda n: f"im{n};16;12;[2.0, 3.0, 8.0, 6.0]"
            ),
        },
        error="no column is known to hold their classes",
        tool="global wheat detection",
    ),
    Shape(
        "encodings",
        "UTF-16",
        {
            **NINE,
            "list.csv": numbered(
                "image,label", 9, lambda n: f"p{n}.jpg,{('größe', 'kratzer')[n % 2]}"
            ).encode("utf-16"),
        },
        open="list.csv",
        labels=("größe", "kratzer"),
        tool="Excel, Unicode text",
    ),
    Shape(
        "encodings",
        "cp1252 with accents",
        {
            **NINE,
            "list.csv": numbered(
                "image;label", 9, lambda n: f"p{n}.jpg;{('fêlure', 'rayé')[n % 2]}"
            ).encode("cp1252"),
        },
        open="list.csv",
        labels=("fêlure", "rayé"),
        says=("read as cp1252",),
        tool="Excel, CSV",
    ),
    Shape(
        "encodings",
        "Cyrillic of Windows",
        {
            **NINE,
            "list.csv": numbered(
                "image;label", 9, lambda n: f"p{n}.jpg;{('трещина', 'норма')[n % 2]}"
            ).encode("cp1251"),
        },
        open="list.csv",
        error="set data.encoding",
        tool="Excel, CSV",
    ),
    Shape(
        "encodings",
        "Cyrillic of Windows, named",
        {
            **NINE,
            "list.csv": numbered(
                "image;label", 9, lambda n: f"p{n}.jpg;{('трещина', 'норма')[n % 2]}"
            ).encode("cp1251"),
        },
        open="list.csv",
        labels=("норма", "трещина"),
        config={"encoding": "cp1251"},
    ),
]

TOOLS = [
    Shape(
        "YOLO",
        "lists of lists in data.yaml",
        {
            "images/a/{0..3}.jpg": IMAGE,
            "images/b/{4..7}.jpg": IMAGE,
            "images/c/{8..9}.jpg": IMAGE,
            "labels/a/{0..3}.txt": yolo,
            "labels/b/{4..7}.txt": yolo,
            "labels/c/{8..9}.txt": yolo,
            "data.yaml": "train: [images/a, images/b]\nval: [images/c]\nnames: [a, b]\n",
        },
        labels=("a", "b"),
        what="boxes",
        splits={"train": 8, "validation": 2},
        first=("images/a/0.jpg", BOX),
        tool="Ultralytics",
    ),
    Shape(
        "YOLO",
        "text lists in data.yaml",
        {
            "images/{0..5}.jpg": IMAGE,
            "labels/{0..5}.txt": yolo,
            "train.txt": lines(*(f"./images/{n}.jpg" for n in range(4))),
            "val.txt": lines(*(f"./images/{n}.jpg" for n in (4, 5))),
            "data.yaml": "train: train.txt\nval: val.txt\nnames: {0: a, 1: b}\n",
        },
        labels=("a", "b"),
        what="boxes",
        splits={"train": 4, "validation": 2},
        tool="Ultralytics",
    ),
    Shape(
        "YOLO",
        "one folder for both splits",
        {
            "images/train/{0..5}.jpg": IMAGE,
            "labels/train/{0..5}.txt": yolo,
            "data.yaml": "path: coco8\ntrain: images/train\nval: images/train\nnames: [a, b]\n",
        },
        labels=("a", "b"),
        what="boxes",
        splits={"train": 6},
        says=("Leak in data.yaml",),
        tool="coco128",
    ),
    Shape(
        "YOLO",
        "yes, no and 010 are names",
        {
            "images/{0..5}.jpg": IMAGE,
            "labels/{0..5}.txt": lambda n: f"{n % 3} 0.5 0.5 0.5 0.5\n",
            "data.yaml": "names:\n  0: yes\n  1: no\n  2: 010\n",
        },
        labels=("yes", "no", "010"),
        what="boxes",
    ),
    Shape(
        "YOLO",
        "capital folders",
        {
            "Images/{0..5}.jpg": IMAGE,
            "Labels/{0..5}.txt": yolo,
            "classes.txt": "a\nb\n",
        },
        labels=("a", "b"),
        what="boxes",
        first=("Images/0.jpg", BOX),
    ),
    Shape(
        "YOLO",
        "key points of 17 by 3",
        {
            "images/{0..5}.jpg": IMAGE,
            "labels/{0..5}.txt": lambda n: yolo(n).strip() + " 0.1 0.2 2" * 17 + "\n",
            "data.yaml": "kpt_shape: [17, 3]\nnames: [a, b]\n",
        },
        labels=("a", "b"),
        what="boxes",
        first=("images/0.jpg", BOX),
        tool="Ultralytics pose",
    ),
    Shape(
        "YOLO",
        "no names anywhere",
        {
            "images/{0..5}.jpg": IMAGE,
            "labels/{0..5}.txt": yolo,
        },
        error="nothing tells the names of the classes",
    ),
    Shape(
        "YOLO",
        "subsets as the project spells them",
        {
            "obj_Train_data/{0..3}.jpg": IMAGE,
            "obj_Train_data/{0..3}.txt": yolo,
            "obj_Validation_data/{4..5}.jpg": IMAGE,
            "obj_Validation_data/{4..5}.txt": yolo,
            "obj.names": "a\nb\n",
            "obj.data": "classes = 2\nnames = data/obj.names\n",
            "Train.txt": lines(*(f"data/obj_Train_data/{n}.jpg" for n in range(4))),
            "Validation.txt": lines(*(f"data/obj_Validation_data/{n}.jpg" for n in (4, 5))),
        },
        labels=("a", "b"),
        what="boxes",
        splits={"train": 4, "validation": 2},
        tool="CVAT YOLO 1.1",
    ),
    Shape(
        "YOLO",
        "a validation split without labels",
        {
            "train/images/{0..5}.jpg": IMAGE,
            "train/labels/{0..5}.txt": yolo,
            "val/images/{6..8}.jpg": IMAGE,
            "data.yaml": "names: [a, b]\n",
        },
        labels=("a", "b"),
        what="boxes",
        splits={"train": 6},
        says=("not one has a label file",),
    ),
    Shape(
        "COCO",
        "a whole download",
        {
            "train2017/{0..5}.jpg": IMAGE,
            "val2017/{6..8}.jpg": IMAGE,
            "annotations/instances_train2017.json": coco([f"{n}.jpg" for n in range(6)]),
            "annotations/instances_val2017.json": coco([f"{n}.jpg" for n in (6, 7, 8)]),
            "annotations/person_keypoints_train2017.json": coco([f"{n}.jpg" for n in range(6)]),
            "annotations/captions_train2017.json": coco(
                [f"{n}.jpg" for n in range(6)],
                boxes=False,
                annotations=[{"id": n, "image_id": n, "caption": "x"} for n in range(6)],
            ),
        },
        labels=("a", "b"),
        what="boxes",
        splits={"train": 6, "validation": 3},
        first=("train2017/0.jpg", BOX),
        says=("captions_train2017.json",),
        tool="cocodataset.org",
    ),
    Shape(
        "COCO",
        "classes with texts for ids",
        {
            "loc1/{0..3}.jpg": IMAGE,
            "loc2/{4..7}.jpg": IMAGE,
            "traps.json": json.dumps(
                {
                    "images": [
                        {"id": f"i{n}", "file_name": f"loc{1 + n // 4}/{n}.jpg"} for n in range(8)
                    ],
                    "annotations": [
                        {"id": f"a{n}", "image_id": f"i{n}", "category_id": n % 2} for n in range(8)
                    ],
                    "categories": [{"id": 0, "name": "empty"}, {"id": 1, "name": "deer"}],
                }
            ),
        },
        labels=("empty", "deer"),
        tool="LILA camera traps",
    ),
    Shape(
        "COCO",
        "several classes of an image",
        {
            "{0..5}.jpg": IMAGE,
            "labels.json": json.dumps(
                {
                    "images": [{"id": n, "file_name": f"{n}.jpg"} for n in range(6)],
                    "annotations": [
                        {"id": 2 * n + c, "image_id": n, "category_id": c + 1}
                        for n in range(6)
                        for c in range(1 + n % 2)
                    ],
                    "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}],
                }
            ),
        },
        labels=("a", "b"),
        what="classes",
        first=("1.jpg", "a, b"),
        tool="Datumaro",
    ),
    Shape(
        "COCO",
        "images of another shape",
        {
            "{0..5}.jpg": IMAGE,
            "a.json": coco([f"{n}.jpg" for n in range(6)], size=(100, 100)),
        },
        error="another shape",
    ),
    Shape(
        "COCO",
        "names with backslashes and escapes",
        {
            "images/{0..5} x.jpg": IMAGE,
            "result.json": coco([f"..\\..\\media\\upload\\4\\{n}%20x.jpg" for n in range(6)]),
        },
        labels=("a", "b"),
        what="boxes",
        tool="Label Studio",
    ),
    Shape(
        "COCO",
        "a project called like a class",
        {
            "{0..5}.jpg": IMAGE,
            "_annotations.coco.json": coco(
                [f"{n}.jpg" for n in range(6)],
                categories=[{"id": 0, "name": "a"}, {"id": 1, "name": "a"}, {"id": 2, "name": "b"}],
            ),
        },
        labels=("a", "b"),
        what="boxes",
        tool="Roboflow",
    ),
    Shape(
        "COCO",
        "a camera that is not there",
        {
            "camA/{0..5}.jpg": IMAGE,
            "a.json": coco([f"camB/{n}.jpg" for n in range(6)]),
        },
        error="there is no picture 'camB/0.jpg'",
    ),
    Shape(
        "Pascal VOC",
        "identifiers with folders",
        {
            "JPEGImages/v{0..5}.jpg": IMAGE,
            "Annotations/v{0..5}.xml": voc,
            "ImageSets/Main/trainval.txt": lines(*(f"2012/v{n}" for n in range(4))),
            "ImageSets/Main/test.txt": lines("2012/v4", "2012/v5"),
            "ImageSets/Main/a_trainval.txt": lines(*(f"v{n} {n % 2}" for n in range(4))),
        },
        labels=("a", "b"),
        what="boxes",
        splits={"train": 4, "test": 2},
    ),
    Shape(
        "Pascal VOC",
        "names without their ending, masks beside",
        {
            "images/v{0..5}.jpg": IMAGE,
            "annotations/xmls/v{0..5}.xml": lambda n: voc(n, f"v{n}"),
            "annotations/trimaps/v{0..5}.png": IMAGE,
        },
        labels=("a", "b"),
        what="boxes",
        first=("images/v0.jpg", BOX),
        tool="Oxford-IIIT Pet",
    ),
    Shape(
        "formats that are not read",
        "KITTI",
        {
            "training/image_2/{0..4}.png": IMAGE,
            "training/label_2/{0..4}.txt": "Car 0.00 0 -1.5 1 1 9 9 1.6 1.5 3.6 1.0 1.0 1.0 -1.6\n",
        },
        error="labels of KITTI",
        tool="KITTI",
    ),
    Shape(
        "formats that are not read",
        "Label Studio",
        {
            "{0..4}.png": IMAGE,
            "export.json": json.dumps([{"id": 1, "data": {"image": "0.png"}, "annotations": []}]),
        },
        error="JSON_MIN from Label Studio",
        tool="Label Studio JSON",
    ),
    Shape(
        "archives",
        "a zip of YOLO",
        {
            "a.zip/images/{0..5}.jpg": IMAGE,
            "a.zip/labels/{0..5}.txt": yolo,
            "a.zip/classes.txt": "a\nb\n",
        },
        open="a.zip",
        labels=("a", "b"),
        what="boxes",
    ),
    Shape(
        "archives",
        "a zip of a table for each split",
        {
            "a.zip/x/train/{0..5}.jpg": IMAGE,
            "a.zip/x/val/{6..8}.jpg": IMAGE,
            "a.zip/x/train/_classes.csv": numbered(
                "filename, a, b", 6, lambda n: f"{n}.jpg, {n % 2}, {1 - n % 2}"
            ),
            "a.zip/x/val/_classes.csv": numbered(
                "filename, a, b", 3, lambda n: f"{n + 6}.jpg, {n % 2}, {1 - n % 2}"
            ),
        },
        open="a.zip",
        labels=("a", "b"),
        what="classes",
        splits={"train": 6, "validation": 3},
        tool="Roboflow multi-class",
    ),
]

SHAPES = [*SPLITS, *MASKS, *LEVELS, *TABLES, *TOOLS]
