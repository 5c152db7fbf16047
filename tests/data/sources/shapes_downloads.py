"""Shapes of well-known downloads, and of what people make of them."""

from __future__ import annotations

from tests.data.sources.shapes import IMAGE, Shape

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

DOWNLOADS = [*LEVELS]
