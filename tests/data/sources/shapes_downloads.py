"""Shapes of well-known downloads, and of what people make of them."""

from __future__ import annotations

import json

from tests.data.sources.shapes import IMAGE, Shape, lines, numbered
from tests.data.sources.shapes_tools import voc

NINE = {"p{0..8}.jpg": IMAGE}

# fmt: off
LEVELS = [
    Shape("levels of folders", "clips below classes", {
        f"{c}/clip_{k}/{{0..2}}.jpg": IMAGE for c in ("run", "jump") for k in (1, 2)
    }, labels=("jump", "run"), says=("the outer ones are the classes",), tool="UCF101 as frames"),
    Shape("levels of folders", "the same patient numbers below each class", {
        f"{c}/patient{p}/{{0..1}}.png": IMAGE for c in ("benign", "malignant") for p in (1, 2, 3)
    }, labels=("benign", "malignant"), says=("the outer ones are the classes",)),
    Shape("levels of folders", "one class for each camera", {
        "cam_1/ok/{0..2}.png": IMAGE, "cam_2/scratched/{3..5}.png": IMAGE,
    }, labels=("ok", "scratched"), says=("the inner ones are the classes",)),
    Shape("levels of folders", "grades below hospitals", {
        f"hospital_{h}/grade_{k}/{{0..2}}.jpg": IMAGE for h in "AB" for k in (1, 2, 3)
    }, labels=("grade_1", "grade_2", "grade_3"), says=("the inner ones are the classes",)),
    Shape("levels of folders", "classes 0 and 1 below numbers of patients", {
        f"{p}/{c}/{{0..1}}.png": IMAGE for p in (10253, 10254, 8863) for c in (0, 1)
    }, labels=("0", "1"), says=("the inner ones are the classes",), tool="Kaggle IDC"),
    Shape("levels of folders", "a validation split without classes", {
        "train/n01/images/n01_{0..3}.JPEG": IMAGE, "train/n02/images/n02_{0..3}.JPEG": IMAGE,
        "train/n01/n01_boxes.txt": "n01_0.JPEG\t0\t10\t63\t58\n",
        "val/images/val_{0..3}.JPEG": IMAGE, "test/images/test_{0..3}.JPEG": IMAGE,
        "wnids.txt": "n01\nn02\n",
    }, labels=("n01", "n02"), splits={"train": 8},
        says=("val/images (4 images: without a class)",), tool="Tiny ImageNet"),
    Shape("a data set within itself", "folds with their own splits", {
        **{f"fold1/{t}/{c}/{{{r}}}.png": IMAGE
           for t, r in (("train", "0..3"), ("val", "4..5")) for c in "xy"},
        **{f"fold2/{t}/{c}/{{{r}}}.png": IMAGE
           for t, r in (("train", "2..5"), ("val", "0..1")) for c in "xy"},
    }, error="Choose with --set data.leave_out=[fold2] (fold1 alone)"),
    Shape("a data set within itself", "the same images in colour and in grey", {
        f"{v}/{c}/{{0..3}}.jpg": IMAGE
        for v in ("color", "grayscale") for c in ("rust", "healthy")
    }, error="color and grayscale hold the same images in other forms", tool="PlantVillage"),
    Shape("masks are no classes", "a folder of masks among the images", {
        **{f"Class{c}/Train/{{0..3}}.PNG": IMAGE for c in (1, 2)},
        **{f"Class{c}/Test/{{4..6}}.PNG": IMAGE for c in (1, 2)},
        **{f"Class{c}/Train/Label/{{0..1}}_label.PNG": IMAGE for c in (1, 2)},
    }, labels=("Class1", "Class2"), splits={"train": 8, "test": 6},
        says=("Class1/Train/Label (2 images: masks or annotations)",), tool="DAGM 2007"),
    Shape("folders without a class", "thumbnails in each class", {
        **{f"{c}/{{0..3}}.jpg": IMAGE for c in "ab"},
        **{f"{c}/thumbnails/{{0..3}}.jpg": IMAGE for c in "ab"},
    }, labels=("a", "b"), says=("a/thumbnails (4 images: thumbnails)",)),
    Shape("folders without a class", "labeled and unlabeled", {
        "labeled/cat/{0..3}.jpg": IMAGE, "labeled/dog/{0..3}.jpg": IMAGE,
        "unlabeled/{0..5}.jpg": IMAGE,
    }, labels=("cat", "dog"), says=("unlabeled (6 images: without labels)",)),
]

LISTS = [
    Shape("lists of splits", "train.txt and test.txt in a folder meta", {
        "images/pie/{0..5}.jpg": IMAGE, "images/rib/{6..11}.jpg": IMAGE,
        "meta/classes.txt": "pie\nrib\n", "meta/labels.txt": "Pie\nRib\n",
        "meta/train.txt": lines(*(f"{'pie' if n < 6 else 'rib'}/{n}" for n in range(12) if n % 3)),
        "meta/test.txt": lines("pie/0", "pie/3", "rib/6", "rib/9"),
    }, labels=("pie", "rib"), splits={"train": 8, "test": 4}, says=("from train.txt, test.txt",),
        tool="Food-101"),
    Shape("lists of splits", "numbers of images", {
        "images/001.Albatross/{0..4}.jpg": IMAGE, "images/002.Crow/{5..9}.jpg": IMAGE,
        "classes.txt": "1 001.Albatross\n2 002.Crow\n",
        "images.txt": lines(*(
            f"{n + 1} {'001.Albatross' if n < 5 else '002.Crow'}/{n}.jpg" for n in range(10))),
        "train_test_split.txt": lines(*(f"{n + 1} {n % 2}" for n in range(10))),
    }, labels=("001.Albatross", "002.Crow"), splits={"train": 5, "test": 5}, tool="CUB-200-2011"),
    Shape("lists of splits", "beside a table", {
        "images_001/images/{0..4}.png": IMAGE, "images_002/images/{5..8}.png": IMAGE,
        "Data_Entry_2017.csv": numbered(
            "Image Index,Finding Labels,Patient ID,Patient Gender,OriginalImage[Width,Height],", 9,
            lambda n: f"{n}.png,{('Mass', 'Edema', 'Mass|Edema')[n % 3]},{n},M,10,20,"),
        "BBox_List_2017.csv": "Image Index,Finding Label,Bbox [x,y,w,h],,,\n0.png,Mass,1,2,3,4,,,",
        "train_val_list.txt": lines(*(f"{n}.png" for n in range(6))),
        "test_list.txt": lines(*(f"{n}.png" for n in (6, 7))),
    }, labels=("Edema", "Mass"), what="classes", splits={"train": 6, "test": 2},
        says=("in none of train_val_list.txt, test_list.txt",), tool="ChestX-ray14"),
    Shape("lists of splits", "beside Pascal VOC", {
        "JPEGImages/v{0..5}.jpg": IMAGE, "Annotations/v{0..5}.xml": voc,
        "train.txt": lines(*(f"v{n}" for n in range(4))), "val.txt": "v4\nv5\n",
    }, labels=("a", "b"), what="boxes", splits={"train": 4, "validation": 2}),
    Shape("lists of splits", "an image in both", {
        "a/{0..5}.jpg": IMAGE, "b/{6..11}.jpg": IMAGE,
        "train.txt": lines(*(f"{'a' if n < 6 else 'b'}/{n}.jpg" for n in range(12))),
        "test.txt": lines("a/0.jpg", "b/6.jpg"),
    }, labels=("a", "b"), says=("several of them name the same image",)),
    Shape("lists of labels", "a name and a number in each line", {
        "img/{0..8}.jpg": IMAGE,
        "train.txt": lines(*(f"img/{n}.jpg {n % 2}" for n in range(6))),
        "val.txt": lines(*(f"img/{n}.jpg {n % 2}" for n in (6, 7, 8))),
    }, labels=("0", "1"), splits={"train": 6, "validation": 3}, tool="Caffe"),
    Shape("lists of labels", "the folders tell the names of its numbers", {
        "cat/{0..4}.jpg": IMAGE, "dog/{5..9}.jpg": IMAGE,
        "train.txt": lines(*(f"{'cat' if n < 5 else 'dog'}/{n}.jpg {n // 5}"
                             for n in range(10) if n % 2)),
        "test.txt": lines(*(f"{'cat' if n < 5 else 'dog'}/{n}.jpg {n // 5}"
                            for n in range(10) if not n % 2)),
    }, labels=("cat", "dog"), splits={"train": 5, "test": 5}),
    Shape("lists of labels", "attributes below their number", {
        "img/00{1..6}.jpg": IMAGE,
        "list_attr.txt": lines("6", "Smiling Young ", *(
            f"00{n}.jpg {1 if n % 2 else -1}  {1 if n % 3 else -1}" for n in range(1, 7))),
    }, labels=("Smiling", "Young"), what="classes", first=("img/001.jpg", "Smiling, Young"),
        tool="CelebA"),
    Shape("lists of labels", "boxes after the names", {
        "img/{0..5}.jpg": IMAGE,
        "train.txt": lines(*(f"img/{n}.jpg 2,3,10,9,0" for n in range(6))),
    }, open="train.txt", error="lists boxes after the names of images", tool="keras-yolo3"),
]


def _unread(name: str, files: dict[str, str | bytes], error: str, tool: str = "") -> Shape:
    return Shape("formats that are not read", name, {**NINE, **files}, error=error, tool=tool)


UNREAD = [
    _unread("nnU-Net", {"dataset.json": json.dumps({"name": "x", "numTraining": 1, "training": [
        {"image": "./p0.jpg", "label": "./p1.jpg"}]})},
        "description of segmentation", "Medical Segmentation Decathlon"),
    _unread("Labelbox", {"e.ndjson": json.dumps(
        {"data_row": {"external_id": "p0.jpg"}, "projects": {}})},
        "Labelbox's own NDJSON, which is not read: convert it to COCO", "Labelbox"),
    _unread("SageMaker", {"output.manifest": json.dumps({"source-ref": "s3://b/p0.jpg"})},
        "Amazon SageMaker Ground Truth", "Amazon SageMaker Ground Truth"),
    _unread("LabelMe's XML", {
        "a.xml": "<annotation><object><polygon><pt/></polygon></object></annotation>"},
        "the XML of the older LabelMe", "LabelMe (MIT)"),
    _unread("masks in a table", {"train.csv": "ImageId,EncodedPixels\np0.jpg,2 3\n"},
        "run-length encoded", "Kaggle Severstal"),
    _unread("archives in a folder", {"train.zip": b"PK", "test.zip": b"PK"},
        "test.zip is an archive, which is not read: unpack it here first", "Kaggle"),
    _unread("videos", {"ok/1.mp4": b"x"}, "extract its frames first"),
    _unread("arrays of NumPy", {"x.npy": b"x"}, "a file of NumPy arrays", "MedMNIST"),
    _unread("MATLAB", {"imagelabels.mat": b"x"}, "a file of MATLAB", "Oxford 102 Flowers"),
    _unread("IDX", {"train-images-idx3-ubyte.gz": b"x"}, "IDX arrays", "MNIST"),
    _unread("pickles", {"data_batch_1": b"x"}, "opening one can run code", "CIFAR-10"),
]

DOWNLOADS = [*LEVELS, *LISTS, *UNREAD]
