"""Shapes of folders: splits, levels, masks, copies."""

from __future__ import annotations

from tests.data.sources.shapes import IMAGE, Shape, numbered

AB = "ab"

# fmt: off
SPLITS = [
    Shape("splits in names", "train-set, test-set", {
        "train-set/oak/{0..4}.png": IMAGE, "train-set/elm/{0..4}.png": IMAGE,
        "test-set/oak/{0..2}.png": IMAGE, "test-set/elm/{0..2}.png": IMAGE,
    }, labels=("elm", "oak"), splits={"train": 10, "test": 6}, says=("from train-set, test-set",)),
    Shape("splits in names", "a class and a split in each name", {
        "oak_train/{0..4}.png": IMAGE, "elm_train/{0..4}.png": IMAGE,
        "oak_val/{0..2}.png": IMAGE, "elm_val/{0..2}.png": IMAGE,
    }, labels=("elm", "oak"), splits={"train": 10, "validation": 6}),
    Shape("splits in names", "a class called test strip", {
        "test strip/{0..5}.png": IMAGE, "pipette/{0..5}.png": IMAGE,
    }, labels=("pipette", "test strip")),
    Shape("splits in names", "a station of trains and a bus stop", {
        "train_station/{0..5}.png": IMAGE, "bus_stop/{0..5}.png": IMAGE,
        "test_track/{0..5}.png": IMAGE,
    }, labels=("bus_stop", "test_track", "train_station")),
    Shape("splits at any level", "site, split, class", {
        "north/training/ok/{0..2}.png": IMAGE, "north/training/bad/{0..2}.png": IMAGE,
        "north/testing/ok/{0..1}.png": IMAGE, "north/testing/bad/{0..1}.png": IMAGE,
        "south/training/ok/{0..2}.png": IMAGE, "south/training/bad/{0..2}.png": IMAGE,
        "south/testing/ok/{0..1}.png": IMAGE, "south/testing/bad/{0..1}.png": IMAGE,
    }, labels=("bad", "ok"), splits={"train": 12, "test": 8}, says=("inner",)),
    Shape("splits at any level", "images below class and split", {
        "oak/train/images/{0..3}.png": IMAGE, "oak/val/images/{0..2}.png": IMAGE,
        "elm/train/images/{0..3}.png": IMAGE, "elm/val/images/{0..2}.png": IMAGE,
    }, labels=("elm", "oak"), splits={"train": 8, "validation": 6}),
    Shape("splits at any level", "paths of a table with the split in the middle", {
        "v2/valid/raw/{0..2}.png": IMAGE, "v2/train/raw/{3..8}.png": IMAGE,
        "list.csv": numbered("path,label", 9, lambda n:
            f"v2/{'valid' if n < 3 else 'train'}/raw/{n}.png,{AB[n % 2]}"),
    }, open="list.csv", labels=("a", "b"), splits={"train": 6, "validation": 3}),
]

MASKS = [
    Shape("masks are no classes", "images and masks below each class", {
        "covid/images/{0..4}.png": IMAGE, "covid/masks/{0..4}.png": IMAGE,
        "normal/images/{0..4}.png": IMAGE, "normal/masks/{0..4}.png": IMAGE,
    }, labels=("covid", "normal"), says=("covid/masks (5 images: masks or annotations)",),
        tool="COVID-19 Radiography"),
    Shape("masks are no classes", "img and gt", {
        "img/{0..4}.png": IMAGE, "gt/{0..4}.png": IMAGE,
    }, error="in gt, masks or annotations of the same images"),
    Shape("masks are no classes", "people with masks and without", {
        "with_mask/{0..5}.png": IMAGE, "without_mask/{0..5}.png": IMAGE,
    }, labels=("with_mask", "without_mask"), tool="face mask detection"),
    Shape("masks are no classes", "train and trainannot", {
        "train/{0..4}.png": IMAGE, "trainannot/{0..4}.png": IMAGE,
        "val/{0..2}.png": IMAGE, "valannot/{0..2}.png": IMAGE,
    }, error="masks or annotations of the same images", tool="CamVid"),
    Shape("masks beside images", "name_segmentation", {
        "mole/ISIC_{1..4}.jpg": IMAGE, "mole/ISIC_{1..4}_segmentation.png": IMAGE,
        "melanoma/ISIC_{5..8}.jpg": IMAGE, "melanoma/ISIC_{5..8}_segmentation.png": IMAGE,
    }, labels=("melanoma", "mole"), says=("8 files",), tool="ISIC"),
    Shape("masks beside images", "several masks of an image", {
        "a/{1..4}.png": IMAGE, "a/{1..4}_mask_1.png": IMAGE, "a/{1..4}_mask_2.png": IMAGE,
        "b/{1..4}.png": IMAGE,
    }, labels=("a", "b"), says=("8 files",), tool="BUSI"),
    Shape("folders without an image", "csv and documents beside classes", {
        "cat/{0..5}.jpg": IMAGE, "dog/{0..5}.jpg": IMAGE, "docs/a.pdf": b"%PDF", "csv/x.txt": "x",
    }, labels=("cat", "dog"), says=("docs (1 file: no images)",)),
]

LEVELS = [
    Shape("levels of folders", "the inner names repeat below patients", {
        f"patient{p}/{c}/{{0..1}}.png": IMAGE for p in range(4) for c in ("benign", "malign")
    }, labels=("benign", "malign"), says=("the inner ones are the classes", "data.class_level=1")),
    Shape("levels of folders", "magnifications below classes", {
        f"{c}/{s}/{m}/{{0..1}}.png": IMAGE
        for c, s in (("benign", "adenosis"), ("malignant", "ductal")) for m in ("40X", "100X")
    }, labels=("benign", "malignant"), says=("the outer ones are the classes",), tool="BreakHis"),
    Shape("levels of folders", "another level is asked for", {
        "Rosa/canina/{0..3}.png": IMAGE, "Rosa/rugosa/{0..3}.png": IMAGE,
        "Acer/rubrum/{0..3}.png": IMAGE,
    }, labels=("canina", "rubrum", "rugosa"), config={"class_level": 2}),
    Shape("levels of folders", "days above classes", {
        f"2023-05-0{d}/{c}/{{0..2}}.png": IMAGE for d in (1, 2) for c in ("crack", "none")
    }, labels=("crack", "none")),
    Shape("levels of folders", "folds above classes", {
        f"fold_{d}/{c}/{{0..2}}.png": IMAGE for d in (1, 2, 3) for c in ("crack", "none")
    }, labels=("crack", "none")),
    Shape("levels of folders", "parts alone", {
        "photos_part_1/{0..4}.png": IMAGE, "photos_part_2/{5..9}.png": IMAGE,
    }, error="no folder names a class"),
    Shape("levels of folders", "digits below writers", {
        f"writer_{w}/{c}/{{0..1}}.png": IMAGE for w in range(3) for c in range(3)
    }, labels=("0", "1", "2"), says=("data.class_level=1",)),
    Shape("levels of folders", "products with some defects in common", {
        f"{p}/{d}/{{0..1}}.png": IMAGE
        for p, ds in (("bottle", ("good", "contamination", "broken")),
                      ("cable", ("good", "cut", "bent"))) for d in ds
    }, error="could be the outer or the inner folders", tool="MVTec AD"),
    Shape("a data set within itself", "twice the same name", {
        "flowers/rose/{0..4}.png": IMAGE, "flowers/lily/{0..4}.png": IMAGE,
        "flowers/flowers/rose/{0..4}.png": IMAGE, "flowers/flowers/lily/{0..4}.png": IMAGE,
    }, labels=("lily", "rose"), says=("its folders are called as those beside it",)),
    Shape("a data set within itself", "splits once more", {
        "train/a/{0..4}.png": IMAGE, "train/b/{0..4}.png": IMAGE,
        "test/a/{0..1}.png": IMAGE, "test/b/{0..1}.png": IMAGE,
        "xray/train/a/{0..4}.png": IMAGE, "xray/train/b/{0..4}.png": IMAGE,
        "xray/test/a/{0..1}.png": IMAGE, "xray/test/b/{0..1}.png": IMAGE,
    }, labels=("a", "b"), splits={"train": 10, "test": 4}, says=("xray (14 images",)),
    Shape("what systems leave behind", "a recycle bin and snapshots", {
        "a/{0..5}.jpg": IMAGE, "b/{0..5}.jpg": IMAGE, "#recycle/a/{0..3}.jpg": IMAGE,
        "$RECYCLE.BIN/x/{0..3}.jpg": IMAGE, "a/@eaDir/0.jpg/t.jpg": IMAGE,
    }, labels=("a", "b")),
    Shape("the only folder", "two wrappers and a licence", {
        "archive/flowers/rose/{0..5}.png": IMAGE, "archive/flowers/lily/{0..5}.png": IMAGE,
        "LICENSE": "x", "archive/README.txt": "x",
    }, labels=("lily", "rose")),
    Shape("splits in names", "sets within sets", {
        "training_set/training_set/cats/{0..4}.jpg": IMAGE,
        "training_set/training_set/dogs/{0..4}.jpg": IMAGE,
        "test_set/test_set/cats/{0..2}.jpg": IMAGE, "test_set/test_set/dogs/{0..2}.jpg": IMAGE,
    }, labels=("cats", "dogs"), splits={"train": 10, "test": 6}, tool="Kaggle"),
    Shape("splits in names", "images without a class in test", {
        "data/train/cat/{0..4}.jpg": IMAGE, "data/train/dog/{0..4}.jpg": IMAGE,
        "data/val/cat/{0..2}.jpg": IMAGE, "data/val/dog/{0..2}.jpg": IMAGE,
        "data/unlabeled/{0..3}.jpg": IMAGE, "data/test/{0..3}.jpg": IMAGE,
    }, labels=("cat", "dog"), splits={"train": 10, "validation": 6},
        says=("test (4 images: without a class)", "unlabeled (4 images: no split)")),
    Shape("folders without an image", "lists and attributes of a download", {
        "images/001.Albatross/{0..4}.jpg": IMAGE, "images/002.Crow/{0..4}.jpg": IMAGE,
        "images.txt": "1 001.Albatross/0.jpg\n", "classes.txt": "1 001.Albatross\n2 002.Crow\n",
        "attributes/x.txt": "1", "train_test_split.txt": "1 1\n",
    }, labels=("001.Albatross", "002.Crow"), tool="CUB-200-2011"),
    Shape("levels of folders", "variants below classes", {
        f"{c}/{d}/{{0..2}}.jpg": IMAGE for c in ("car", "bus") for d in ("original", "cropped")
    }, labels=("bus", "car")),
    Shape("levels of folders", "conditions below classes repeat as well", {
        f"{c}/{d}/{{0..2}}.jpg": IMAGE for c in ("car", "bus") for d in ("day", "night")
    }, labels=("day", "night"), says=("data.class_level=1",)),
    Shape("splits in names", "valid and invalid are classes", {
        "valid/{0..4}.jpg": IMAGE, "invalid/{0..4}.jpg": IMAGE,
    }, labels=("invalid", "valid")),
]

FOLDERS = [*SPLITS, *MASKS, *LEVELS]
