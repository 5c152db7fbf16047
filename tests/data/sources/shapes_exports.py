"""Shapes of telephones, spreadsheets, clones and challenges."""

from __future__ import annotations

import json

from tests.data.sources.shapes import IMAGE, Shape, lines, numbered

NINE = {"p{0..8}.jpg": IMAGE}
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"

# fmt: off
FOLDERS = [
    Shape("splits in names", "in Spanish", {
        "entrenamiento/gato/{0..3}.jpg": IMAGE, "entrenamiento/perro/{0..3}.jpg": IMAGE,
        "prueba/gato/{4..5}.jpg": IMAGE, "prueba/perro/{4..5}.jpg": IMAGE,
    }, labels=("gato", "perro"), splits={"train": 8, "test": 4}),
    Shape("splits in names", "one of two sets is called validation", {
        "slides-100k/fat/{0..3}.tif": IMAGE, "slides-100k/tumour/{0..3}.tif": IMAGE,
        "slides-val-7k/fat/{4..5}.tif": IMAGE, "slides-val-7k/tumour/{4..5}.tif": IMAGE,
    }, error="--set data.leave_out=[slides-val-7k] (slides-100k alone)", tool="NCT-CRC-HE"),
    Shape("levels of folders", "sorted by first letters", {
        "b/barn/{0..2}.jpg": IMAGE, "b/beach/{0..2}.jpg": IMAGE, "c/canyon/{0..2}.jpg": IMAGE,
        "c/cave/{0..2}.jpg": IMAGE,
    }, labels=("barn", "beach", "canyon", "cave"), says=("Folders of first letters",),
        tool="SUN397, Places"),
    Shape("levels of folders", "three, the innermost of words", {
        f"{part}/{kind}/{name}/{{0..2}}.jpg": IMAGE
        for part, kind, name in (
            ("upper", "normal", "pylorus"), ("upper", "ill", "ulcer"),
            ("lower", "normal", "cecum"), ("lower", "ill", "polyp"),
        )
    }, error="--set data.class_level=3 (classes polyp, cecum, ulcer and 1 more)",
        tool="HyperKvasir"),
    Shape("a data set within itself", "a class copied in the file manager", {
        "cat/{0..3}.jpg": IMAGE, "cat - Copy/{0..3}.jpg": IMAGE, "dog/{0..3}.jpg": IMAGE,
    }, error="--set 'data.leave_out=[cat - Copy]' (without copies)", tool="Windows"),
    Shape("what systems leave behind", "a JSON for each image, one for each album", {
        **{f"Takeout/Photos/{c}/IMG_{{{r}}}.jpg": IMAGE for c, r in (("A", "0..3"), ("B", "4..7"))},
        **{f"Takeout/Photos/{c}/IMG_{{{r}}}.jpg.supplemental-metadata.json": "{}"
           for c, r in (("A", "0..3"), ("B", "4..7"))},
        "Takeout/Photos/A/metadata.json": "{}",
    }, labels=("A", "B"), says=("8 images", "(9 files: no images)"), tool="Google Takeout"),
    Shape("what systems leave behind", "accents as a Mac writes them", {
        "train/Müll/{0..3}.jpg": IMAGE, "train/Glas/{0..3}.jpg": IMAGE,
        "test/Mu\u0308ll/{4..5}.jpg": IMAGE, "test/Glas/{4..5}.jpg": IMAGE,
    }, labels=("Glas", "Müll"), splits={"train": 8, "test": 4}, tool="macOS"),
    Shape("folders without a class", "classes in the names of the images", {
        "train/cat.{0..4}.jpg": IMAGE, "train/dog.{0..4}.jpg": IMAGE, "test1/{0..3}.jpg": IMAGE,
        "sampleSubmission.csv": numbered("id,label", 4, lambda n: f"{n},0"),
    }, error="The images are called cat, dog with a number", tool="Kaggle dogs vs cats"),
]
MORE_FOLDERS = [
    Shape("splits in names", "each another, with its own words", {
        "train_mini/elm/{0..3}.jpg": IMAGE, "train_mini/oak/{0..3}.jpg": IMAGE,
        "val/elm/{4..5}.jpg": IMAGE, "val/oak/{4..5}.jpg": IMAGE,
    }, labels=("elm", "oak"), splits={"train": 8, "validation": 4}, tool="iNaturalist"),
    Shape("masks are no classes", "splits within images and within masks", {
        f"{kind}/{split}/{city}/{{{numbers}}}_{kind}.png": IMAGE
        for kind in ("leftImg8bit", "gtFine")
        for split, city, numbers in (
            ("train", "aachen", "0..3"), ("train", "ulm", "7..9"), ("val", "ulm", "4..6"))
    }, labels=("aachen", "ulm"), splits={"train": 7, "validation": 3},
        says=("gtFine (10 images: masks or annotations)",), tool="Cityscapes"),
    Shape("masks are no classes", "of Pascal VOC, without a class", {
        "JPEGImages/{0..5}.jpg": IMAGE, "SegmentationClass/{0..5}.png": IMAGE,
        "ImageSets/Segmentation/train.txt": lines(*"0123"),
        "ImageSets/Segmentation/val.txt": lines(*"45"),
    }, error="in SegmentationClass, masks or annotations", tool="Pascal VOC"),
    Shape("masks are no classes", "in a folder of a longer name, beside a table", {
        "labels.csv": numbered("image,label", 9, lambda n: f"p{n},{'ab'[n % 2]}"),
        "images/p{0..8}.jpg": IMAGE, "lesion_segmentations_2018/p{0..8}_segmentation.png": IMAGE,
    }, labels=("a", "b"), tool="HAM10000"),
    Shape("labels.csv beside images", "of labels that no name tells, in nested folders", {
        "train.csv": numbered("id,landmark_id", 6, lambda n: f"ab{n},{n % 3}"),
        **{f"train/{n % 2}/{n}/ab{n}.jpg": IMAGE for n in range(6)},
    }, labels=("0", "1"), splits={"train": 6},
        says=("Not used: train.csv, which names images, too",), tool="Google Landmarks"),
    Shape("labels.csv beside images", "of images that are not here", {
        "labels.csv": numbered("image,label", 9, lambda n: f"q{n}.jpg,{'ab'[n % 2]}"), **NINE,
    }, error="labels.csv seems to name images in column 'image', but 'q0.jpg' and most others"),
    Shape("splits at any level", "a part of the folders is divided", {
        **{f"made/made/{s}/{c}/{{{r}}}.jpg": IMAGE for s, r in (("train", "0..3"), ("test", "4..5"))
           for c in ("ok", "cracked")},
        **{f"made_large/made_large/{c}/{{6..9}}.jpg": IMAGE for c in ("ok", "cracked")},
    }, labels=("cracked", "ok"), splits={"train": 8, "test": 4}, says=("they are not splits",),
        tool="Kaggle casting products"),
    Shape("encodings", "Polish of Windows", {
        **NINE, "l.csv": ("Plik;Klasa\n" + "".join(
            f"p{n}.jpg;{'żaden' if n % 2 else 'pęknięcie'}\n" for n in range(9))).encode("cp1250"),
    }, error="cp1250 ('", tool="Excel, CSV"),
    Shape("columns of 0 and 1", "in German", {
        **NINE, "l.csv": numbered("Bild;Kratzer;Delle", 9, lambda n: ";".join(
            [f"p{n}.jpg", "FALSCH" if n % 2 else "WAHR", "FALSCH" if n % 3 else "WAHR"])),
    }, what="classes", labels=("Kratzer", "Delle"), tool="Excel, CSV"),
    Shape("headers of spreadsheets", "names as texts of a formula", {
        **NINE, "l.csv": numbered("image;label", 9, lambda n: f'="p{n}.jpg";{"ab"[n % 2]}'),
    }, labels=("a", "b"), tool="Excel, CSV"),
]
TABLES = [
    Shape("encodings", "Chinese of Windows", {
        **NINE, "表.csv": ("文件名,类别\n" + "".join(f"p{n}.jpg,{'划痕' if n % 2 else '正常'}\n"
                                               for n in range(9))).encode("gb18030"),
    }, error="gb18030 ('文件名')", tool="Excel, CSV"),
    Shape("encodings", "Chinese of Windows, named", {
        **NINE, "表.csv": ("文件名,类别\n" + "".join(f"p{n}.jpg,{'划痕' if n % 2 else '正常'}\n"
                                               for n in range(9))).encode("gb18030"),
    }, config={"encoding": "gb18030"}, labels=("划痕", "正常")),
    Shape("headers of spreadsheets", "in German, a title above", {
        **NINE, "l.csv": "Halle 3;;\n;;\n" + numbered(
            "Bild;Befund;Prüfer", 9, lambda n: f"p{n}.jpg;{'gut' if n % 2 else 'matt'};M"),
    }, labels=("gut", "matt"), says=("l.csv has its header in line 3",), tool="Excel, CSV"),
    Shape("headers of spreadsheets", "empty rows at the end", {
        **NINE, "l.csv": numbered("image;label", 9, lambda n: f"p{n}.jpg;{'ab'[n % 2]}") + ";\n;\n",
    }, labels=("a", "b"), tool="Excel, CSV"),
    Shape("tables of boxes", "commas before the decimals", {
        **NINE, "l.csv": numbered("Datei;Klasse;xmin;ymin;xmax;ymax", 9,
                                  lambda n: f"p{n}.jpg;{'ab'[n % 2]};1,5;2;9,5;8,25"),
    }, what="boxes", labels=("a", "b"), first=("p0.jpg", ((1.5, 2, 8, 6.25), "a")),
        tool="Excel, CSV"),
    Shape("lists of labels", "three kinds of labels, names without their ending", {
        "images/00{10..19}.jpg": IMAGE,
        **{f"images_{kind}_{split}.txt": lines(*(f"00{n} {names[n % 2]}" for n in numbers))
           for kind, names in (("maker", ("Airbus", "Boeing")), ("variant", ("A300", "737-200")))
           for split, numbers in (("train", range(10, 16)), ("test", range(16, 20)))},
    }, error="--set data.table=images_maker_*.txt (10 rows)", tool="FGVC Aircraft"),
    Shape("lists of labels", "one of three kinds of labels (a pattern)", {
        "images/00{10..19}.jpg": IMAGE,
        **{f"images_{kind}_{split}.txt": lines(*(f"00{n} {names[n % 2]}" for n in numbers))
           for kind, names in (("maker", ("Airbus", "Boeing")), ("variant", ("A300", "737-200")))
           for split, numbers in (("train", range(10, 16)), ("test", range(16, 20)))},
    }, config={"table": "images_variant_*.txt"}, labels=("737-200", "A300"),
        splits={"train": 6, "test": 4}),
]
UNREAD = [
    Shape("formats that are not read", "pointers of Git LFS", {
        "train/cat/{0..3}.jpg": POINTER, "train/dog/{0..3}.jpg": POINTER,
    }, error="train/cat/0.jpg is a pointer of Git LFS", tool="git clone"),
    Shape("formats that are not read", "pixels in a table", {
        "train.csv": numbered("label,pixel0,pixel1", 5, lambda n: f"{n % 2},0,255"),
    }, error="train.csv is a table of pixel values", tool="Kaggle digit recognizer"),
    Shape("formats that are not read", "volumes", {
        "scans/a{0..2}.nii.gz": b"\x1f\x8b", "labels.csv": "id,label\na0,x\na1,y\na2,x\n",
    }, error="scans/a0.nii.gz is a volume"),
    Shape("formats that are not read", "tracks", {
        "img1/00000{1..4}.jpg": IMAGE, "gt/gt.txt": "1,1,2,3,4,4,1,1,1.0\n2,1,2,3,4,4,1,1,1.0\n",
    }, error="gt/gt.txt is MOTChallenge's list", tool="MOTChallenge, CVAT MOT 1.1"),
    Shape("formats that are not read", "boxes by commas in a text for each image", {
        "images/{0..3}.jpg": IMAGE, "annotations/{0..3}.txt": "1,2,5,5,1,4,0,0\n2,2,4,4,1,1,0,1\n",
    }, error="annotations/0.txt is an annotation of VisDrone", tool="VisDrone"),
    Shape("formats that are not read", "questions and answers", {
        "{0..3}.jpg": IMAGE, "_annotations.train.jsonl": "\n".join(
            json.dumps({"image": f"{n}.jpg", "prefix": "detect a", "suffix": "<loc0100> a"})
            for n in range(4)),
    }, error="is a list of instructions for a vision language model", tool="Roboflow PaliGemma"),
]
# fmt: on
EXPORTS = [*FOLDERS, *MORE_FOLDERS, *TABLES, *UNREAD]
