"""Shapes that annotation tools write."""

from __future__ import annotations

import json
from typing import Any

from tests.data.sources.shapes import IMAGE, Shape, lines, numbered
from tests.data.sources.tf_records import as_records, encoded

AB = "ab"


def coco(
    names: list[str], *, boxes: bool = True, size: tuple[int, int] = IMAGE, **more: Any
) -> str:
    """A COCO file with one annotation for each image, of classes a and b in turns."""
    box = {"bbox": [2, 3, 8, 6]} if boxes else {}
    annotations = [
        {"id": n, "image_id": n, "category_id": n % 2 + 1, **box} for n in range(len(names))
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


def tf_boxes(numbers: range) -> bytes:
    """Records as of the TensorFlow object detection API: one box of class a or b in each."""
    box = {"xmin": 0.125, "ymin": 0.25, "xmax": 0.625, "ymax": 0.75}
    return as_records([
        {
            "image/encoded": [encoded(n, IMAGE)], "image/filename": [f"{n}.jpg".encode()],
            "image/object/class/text": [AB[n % 2].encode()],
            **{f"image/object/bbox/{side}": [share] for side, share in box.items()},
        }
        for n in numbers
    ])  # fmt: skip


def tf_classes(numbers: range) -> bytes:
    """Records of images with a class each."""
    return as_records([
        {"image/encoded": [encoded(n, IMAGE)], "image/class/text": [AB[n % 2].encode()]}
        for n in numbers
    ])  # fmt: skip


BOX = ((2.0, 3.0, 8.0, 6.0), "a")

# fmt: off
TOOLS = [
    Shape("YOLO", "lists of lists in data.yaml", {
        "images/a/{0..3}.jpg": IMAGE, "images/b/{4..7}.jpg": IMAGE, "images/c/{8..9}.jpg": IMAGE,
        "labels/a/{0..3}.txt": yolo, "labels/b/{4..7}.txt": yolo, "labels/c/{8..9}.txt": yolo,
        "data.yaml": "train: [images/a, images/b]\nval: [images/c]\nnames: [a, b]\n",
    }, labels=("a", "b"), what="boxes", splits={"train": 8, "validation": 2},
        first=("images/a/0.jpg", BOX), tool="Ultralytics"),
    Shape("YOLO", "text lists in data.yaml", {
        "images/{0..5}.jpg": IMAGE, "labels/{0..5}.txt": yolo,
        "train.txt": lines(*(f"./images/{n}.jpg" for n in range(4))),
        "val.txt": lines(*(f"./images/{n}.jpg" for n in (4, 5))),
        "data.yaml": "train: train.txt\nval: val.txt\nnames: {0: a, 1: b}\n",
    }, labels=("a", "b"), what="boxes", splits={"train": 4, "validation": 2}, tool="Ultralytics"),
    Shape("YOLO", "one folder for both splits", {
        "images/train/{0..5}.jpg": IMAGE, "labels/train/{0..5}.txt": yolo,
        "data.yaml": "path: coco8\ntrain: images/train\nval: images/train\nnames: [a, b]\n",
    }, labels=("a", "b"), what="boxes", splits={"train": 6}, says=("Leak in data.yaml",),
        tool="coco128"),
    Shape("YOLO", "yes, no and 010 are names", {
        "images/{0..5}.jpg": IMAGE, "labels/{0..5}.txt": lambda n: f"{n % 3} 0.5 0.5 0.5 0.5\n",
        "data.yaml": "names:\n  0: yes\n  1: no\n  2: 010\n",
    }, labels=("yes", "no", "010"), what="boxes"),
    Shape("YOLO", "capital folders", {
        "Images/{0..5}.jpg": IMAGE, "Labels/{0..5}.txt": yolo, "classes.txt": "a\nb\n",
    }, labels=("a", "b"), what="boxes", first=("Images/0.jpg", BOX)),
    Shape("YOLO", "key points of 17 by 3", {
        "images/{0..5}.jpg": IMAGE,
        "labels/{0..5}.txt": lambda n: yolo(n).strip() + " 0.1 0.2 2" * 17 + "\n",
        "data.yaml": "kpt_shape: [17, 3]\nnames: [a, b]\n",
    }, labels=("a", "b"), what="boxes", first=("images/0.jpg", BOX), tool="Ultralytics pose"),
    Shape("YOLO", "no names anywhere", {
        "images/{0..5}.jpg": IMAGE, "labels/{0..5}.txt": yolo,
    }, error="nothing tells the names of the classes"),
    Shape("YOLO", "subsets as the project spells them", {
        "obj_Train_data/{0..3}.jpg": IMAGE, "obj_Train_data/{0..3}.txt": yolo,
        "obj_Validation_data/{4..5}.jpg": IMAGE, "obj_Validation_data/{4..5}.txt": yolo,
        "obj.names": "a\nb\n", "obj.data": "classes = 2\nnames = data/obj.names\n",
        "Train.txt": lines(*(f"data/obj_Train_data/{n}.jpg" for n in range(4))),
        "Validation.txt": lines(*(f"data/obj_Validation_data/{n}.jpg" for n in (4, 5))),
    }, labels=("a", "b"), what="boxes", splits={"train": 4, "validation": 2}, tool="CVAT YOLO 1.1"),
    Shape("YOLO", "a validation split without labels", {
        "train/images/{0..5}.jpg": IMAGE, "train/labels/{0..5}.txt": yolo,
        "val/images/{6..8}.jpg": IMAGE, "data.yaml": "names: [a, b]\n",
    }, labels=("a", "b"), what="boxes", splits={"train": 6}, says=("not one has a label file",)),
    Shape("COCO", "a whole download", {
        "train2017/{0..5}.jpg": IMAGE, "val2017/{6..8}.jpg": IMAGE,
        "annotations/instances_train2017.json": coco([f"{n}.jpg" for n in range(6)]),
        "annotations/instances_val2017.json": coco([f"{n}.jpg" for n in (6, 7, 8)]),
        "annotations/person_keypoints_train2017.json": coco([f"{n}.jpg" for n in range(6)]),
        "annotations/captions_train2017.json": coco(
            [f"{n}.jpg" for n in range(6)], boxes=False,
            annotations=[{"id": n, "image_id": n, "caption": "x"} for n in range(6)]),
    }, labels=("a", "b"), what="boxes", splits={"train": 6, "validation": 3},
        first=("train2017/0.jpg", BOX), says=("captions_train2017.json",), tool="cocodataset.org"),
    Shape("COCO", "classes with texts for ids", {
        "loc1/{0..3}.jpg": IMAGE, "loc2/{4..7}.jpg": IMAGE,
        "traps.json": json.dumps({
            "images": [{"id": f"i{n}", "file_name": f"loc{1 + n // 4}/{n}.jpg"} for n in range(8)],
            "annotations": [{"id": f"a{n}", "image_id": f"i{n}", "category_id": n % 2}
                            for n in range(8)],
            "categories": [{"id": 0, "name": "empty"}, {"id": 1, "name": "deer"}]}),
    }, labels=("empty", "deer"), tool="LILA camera traps"),
    Shape("COCO", "several classes of an image", {
        "{0..5}.jpg": IMAGE,
        "labels.json": json.dumps({
            "images": [{"id": n, "file_name": f"{n}.jpg"} for n in range(6)],
            "annotations": [{"id": 2 * n + c, "image_id": n, "category_id": c + 1}
                            for n in range(6) for c in range(1 + n % 2)],
            "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]}),
    }, labels=("a", "b"), what="classes", first=("1.jpg", "a, b"), tool="Datumaro"),
    Shape("COCO", "images of another shape", {
        "{0..5}.jpg": IMAGE, "a.json": coco([f"{n}.jpg" for n in range(6)], size=(100, 100)),
    }, error="another shape"),
    Shape("COCO", "names with backslashes and escapes", {
        "images/{0..5} x.jpg": IMAGE,
        "result.json": coco([f"..\\..\\media\\upload\\4\\{n}%20x.jpg" for n in range(6)]),
    }, labels=("a", "b"), what="boxes", tool="Label Studio"),
    Shape("COCO", "a project called like a class", {
        "{0..5}.jpg": IMAGE, "_annotations.coco.json": coco(
            [f"{n}.jpg" for n in range(6)],
            categories=[{"id": 0, "name": "a"}, {"id": 1, "name": "a"}, {"id": 2, "name": "b"}]),
    }, labels=("a", "b"), what="boxes", tool="Roboflow"),
    Shape("COCO", "a camera that is not there", {
        "camA/{0..5}.jpg": IMAGE, "a.json": coco([f"camB/{n}.jpg" for n in range(6)]),
    }, error="there is no image 'camB/0.jpg'"),
    Shape("Pascal VOC", "identifiers with folders", {
        "JPEGImages/v{0..5}.jpg": IMAGE, "Annotations/v{0..5}.xml": voc,
        "ImageSets/Main/trainval.txt": lines(*(f"2012/v{n}" for n in range(4))),
        "ImageSets/Main/test.txt": lines("2012/v4", "2012/v5"),
        "ImageSets/Main/a_trainval.txt": lines(*(f"v{n} {n % 2}" for n in range(4))),
    }, labels=("a", "b"), what="boxes", splits={"train": 4, "test": 2}),
    Shape("Pascal VOC", "names without their ending, masks beside", {
        "images/v{0..5}.jpg": IMAGE, "annotations/xmls/v{0..5}.xml": lambda n: voc(n, f"v{n}"),
        "annotations/trimaps/v{0..5}.png": IMAGE,
    }, labels=("a", "b"), what="boxes", first=("images/v0.jpg", BOX), tool="Oxford-IIIT Pet"),
    Shape("formats of tools", "KITTI", {
        "training/image_2/{0..4}.png": IMAGE,
        "training/label_2/{0..4}.txt": "Car 0.00 0 -1.5 1 1 9 9 1.6 1.5 3.6 1.0 1.0 1.0 -1.6\n",
    }, labels=("Car",), what="boxes", splits={"train": 5}, first=("training/image_2/0.png",
        ((1, 1, 8, 8), "Car")), tool="KITTI"),
    Shape("formats of tools", "DOTA", {
        "train/images/P{0..4}.png": IMAGE,
        "train/labelTxt/P{0..4}.txt":
            "imagesource:GoogleEarth\ngsd:0.146\n5 1 9 4 5 7 1 4 plane 0\n",
    }, labels=("plane",), what="boxes", splits={"train": 5}, says=("5 turned box",),
        first=("train/images/P0.png", ((1, 1, 8, 6), "plane")), tool="DOTA"),
    Shape("formats of tools", "TFRecord of boxes", {
        "train/x.tfrecord": tf_boxes(range(6)), "valid/x.tfrecord": tf_boxes(range(6, 9)),
    }, labels=("a", "b"), what="boxes", splits={"train": 6, "validation": 3},
        first=("train/0.jpg", BOX), tool="Roboflow, TensorFlow object detection API"),
    Shape("formats of tools", "TFRecord of classes", {
        "train-00000-of-00001": tf_classes(range(6)),
        "validation-00000-of-00001": tf_classes(range(6, 9)),
    }, labels=("a", "b"), splits={"train": 6, "validation": 3}, tool="TensorFlow ImageNet scripts"),
    Shape("formats of tools", "TFRecord that is cut off", {
        "x.tfrecord": tf_classes(range(6))[:-9],
    }, error="record 6: the file is cut off here"),
    Shape("formats that are not read", "VoTT", {
        "out/{0..3}.jpg": IMAGE, "out/x-export.json": json.dumps({"assets": {}, "tags": []}),
    }, error="VoTT's own JSON, which is not read: export Pascal VOC, CSV or TFRecord",
        tool="VoTT"),
    Shape("formats that are not read", "V7 Darwin", {
        "{0..3}.jpg": IMAGE, "{0..3}.json": json.dumps({"item": {}, "annotations": []}),
    }, error="V7 Darwin's own JSON, which is not read: export COCO", tool="V7 Darwin"),
    Shape("formats that are not read", "SuperAnnotate", {
        "{0..3}.jpg": IMAGE, "{0..3}.jpg.json": json.dumps({"metadata": {}, "instances": []}),
    }, error="SuperAnnotate's own JSON, which is not read: export COCO", tool="SuperAnnotate"),
    Shape("formats of tools", "WIDER FACE", {
        "WIDER_train/images/0--Parade/0_{0..3}.jpg": IMAGE,
        "WIDER_val/images/0--Parade/0_{4..5}.jpg": IMAGE,
        "WIDER_test/images/0--Parade/0_{6..7}.jpg": IMAGE,
        "wider_face_split/wider_face_train_bbx_gt.txt": lines(
            *(f"0--Parade/0_{n}.jpg\n1\n2 3 8 6 0 0 0 0 0 0 " for n in range(4))),
        "wider_face_split/wider_face_val_bbx_gt.txt": lines(
            "0--Parade/0_4.jpg", "0", "0 0 0 0 0 0 0 0 0 0 ",
            "0--Parade/0_5.jpg", "2", "2 3 8 6 0 0 0 0 0 0 ", "1 1 2 2 2 0 0 1 0 0 "),
    }, labels=("face",), what="boxes", splits={"train": 4, "validation": 2},
        says=("1 invalid face", "no annotation names them: 2"),
        first=("WIDER_train/images/0--Parade/0_0.jpg", ((2, 3, 8, 6), "face")),
        tool="WIDER FACE"),
    Shape("formats of tools", "Label Studio without a result", {
        "{0..4}.png": IMAGE,
        "export.json": json.dumps([{"id": 1, "data": {"image": "0.png"}, "annotations": []}]),
    }, error="nothing is marked in it", tool="Label Studio JSON"),
    Shape("archives", "a zip of YOLO", {
        "a.zip/images/{0..5}.jpg": IMAGE, "a.zip/labels/{0..5}.txt": yolo,
        "a.zip/classes.txt": "a\nb\n",
    }, open="a.zip", labels=("a", "b"), what="boxes"),
    Shape("archives", "a zip of a table for each split", {
        "a.zip/x/train/{0..5}.jpg": IMAGE, "a.zip/x/val/{6..8}.jpg": IMAGE,
        "a.zip/x/train/_classes.csv": numbered("filename, a, b", 6, lambda n:
            f"{n}.jpg, {n % 2}, {1 - n % 2}"),
        "a.zip/x/val/_classes.csv": numbered("filename, a, b", 3, lambda n:
            f"{n + 6}.jpg, {n % 2}, {1 - n % 2}"),
    }, open="a.zip", labels=("a", "b"), what="classes", splits={"train": 6, "validation": 3},
        tool="Roboflow multi-class"),
    Shape("YOLO", "paths of another machine in data.yaml", {
        "images/train/{0..4}.jpg": IMAGE, "images/valid/{5..7}.jpg": IMAGE,
        "labels/train/{0..4}.txt": yolo, "labels/valid/{5..7}.txt": yolo,
        "data.yaml": "train: /content/x/images/train\nval: /content/x/images/valid\n"
                     "names: [a, b]\n",
    }, labels=("a", "b"), what="boxes", splits={"train": 5, "validation": 3}),
    Shape("YOLO", "beside COCO", {
        "images/{0..5}.jpg": IMAGE, "labels/{0..5}.txt": yolo, "classes.txt": "a\nb\n",
        "instances.json": coco([f"{n}.jpg" for n in range(6)]),
    }, labels=("a", "b"), what="boxes", says=("data.format=yolo",)),
    Shape("COCO", "shares for pixels", {
        "{0..5}.jpg": IMAGE, "a.json": coco([f"{n}.jpg" for n in range(6)], annotations=[
            {"id": n, "image_id": n, "category_id": n % 2 + 1, "bbox": [0.125, 0.25, 0.5, 0.5]}
            for n in range(6)]),
    }, labels=("a", "b"), what="boxes", first=("0.jpg", BOX), says=("shares of the image",)),
    Shape("formats that are not read", "masks with a list of values", {
        "train/{0..4}.jpg": IMAGE, "train/{0..4}_mask.png": IMAGE,
        "train/_classes.csv": "Pixel Value, Class\n0, background\n1, cell\n",
    }, error="semantic segmentation", tool="Roboflow semantic masks"),
    Shape("formats of tools", "Supervisely without an object", {
        "img/{0..4}.jpg": IMAGE,
        "ann/{0..4}.jpg.json": '{"size": {"height": 12, "width": 16}, "objects": []}',
    }, error="read as Supervisely, but nothing is marked", tool="Supervisely"),
]
