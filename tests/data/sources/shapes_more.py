"""Shapes of downloads in which channels, copies, splits and answers are files or columns."""

from __future__ import annotations

import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.data.sources.shapes import IMAGE, Shape, lines, numbered

NINE = {"p{0..8}.jpg": IMAGE}


def _parquet(columns: dict[str, list[Any]]) -> bytes:
    written = io.BytesIO()
    pq.write_table(pa.table(columns), written)
    return written.getvalue()


# fmt: off
FOLDERS = [
    Shape("channels in files of their own", "bands of a satellite", {
        f"BigEarthNet-S2/T33_{{0..3}}_57/T33_57_{band}.tif": IMAGE
        for band in ("B02", "B03", "B04", "B8A")
    }, error="T33_57_B02.tif, T33_57_B03.tif, T33_57_B04.tif and 1 more seem to be the channels",
        tool="BigEarthNet"),
    Shape("channels in files of their own", "stains of a microscope beside a table", {
        **{f"train/0{{0..5}}-bb_{colour}.png": IMAGE
           for colour in ("red", "green", "blue", "yellow")},
        "train.csv": numbered("Id,Target", 6, lambda n: f"0{n}-bb,{n % 3} {n % 2}"),
    }, error="00-bb_red.png and 1 more seem to be the channels of one image",
        tool="Human Protein Atlas"),
    Shape("channels in files of their own", "cars of three colours", {
        f"{kind}/{kind}_{{0..3}}_{colour}.jpg": IMAGE
        for kind in ("van", "bus") for colour in ("red", "white")
    }, labels=("bus", "van")),
    Shape("channels in files of their own", "a table names each file", {
        "site{0..3}_w1.png": IMAGE, "site{0..3}_w2.png": IMAGE,
        "labels.csv": lines("file,label", *(
            f"site{n}_w{w}.png,{'ab'[n % 2]}" for n in range(4) for w in (1, 2))),
    }, labels=("a", "b")),
    Shape("altered copies", "a folder of them", {
        **{f"Original Images/{c}/{c}_{{0..3}}.jpg": IMAGE for c in ("mpox", "other")},
        **{f"Augmented Images/{c}_augmented/{c}_{{0..3}}_01.jpg": IMAGE for c in ("mpox", "other")},
    }, error="Augmented Images is called like altered copies of the images of Original Images",
        tool="MSLD"),
    Shape("altered copies", "beside each class", {
        f"{folder}/{{0..3}}.jpg": IMAGE for folder in ("elm", "elm_aug", "oak", "oak_aug")
    }, error="elm_aug is called like altered copies of the images of elm"),
    Shape("splits in names", "people in the names of images", {
        f"{folder}/000{person}_c{{1..4}}s1_03.jpg": IMAGE
        for folder in ("bounding_box_train", "bounding_box_test", "query") for person in (2, 5)
    }, error="bounding_box_test, bounding_box_train are splits, but hold no class folders",
        tool="Market-1501"),
    Shape("what systems leave behind", "raw photographs", {
        "cat/IMG_{0..4}.JPG": IMAGE, "cat/IMG_{0..4}.CR2": b"II*\0", "cat/IMG_9.DNG": b"II*\0",
        "dog/IMG_{0..4}.JPG": IMAGE,
    }, labels=("cat", "dog"),
        says=("files such as IMG_9.DNG (1 file: raw photographs, which are not read)",),
        tool="cameras"),
]
TABLES = [
    Shape("splits of a table", "in a table of their own", {
        "img_align_celeba/0{0..8}.jpg": IMAGE,
        "list_attr_celeba.csv": numbered(
            "image_id,Bald,Male", 9, lambda n: f"0{n}.jpg,{-1 if n % 3 else 1},{1 - n % 2 * 2}"),
        "list_eval_partition.csv": numbered(
            "image_id,partition", 9, lambda n: f"0{n}.jpg,{0 if n < 5 else 1 if n < 7 else 2}"),
    }, labels=("Bald", "Male"), splits={"train": 5, "validation": 2, "test": 2}, what="classes",
        says=("from list_eval_partition.csv", "list_eval_partition.csv (9 rows: a table of splits"),
        tool="CelebA, Kaggle"),
    Shape("splits of a table", "in a list of their own", {
        "images/0{0..8}.jpg": IMAGE,
        "labels.csv": numbered("file,label", 9, lambda n: f"0{n}.jpg,{'ab'[n % 2]}"),
        "splits.txt": "\n".join(f"0{n}.jpg {'train' if n < 6 else 'test'}" for n in range(9)),
    }, labels=("a", "b"), splits={"train": 6, "test": 3}),
    Shape("splits of a table", "numbers of images begin anew in each", {
        "Train_Set/Training/{1..8}.png": IMAGE, "Test_Set/Testing/{1..5}.png": IMAGE,
        **{f"{folder}/{name}_Labels.csv": numbered(
            "ID,DR,MH", count + 1, lambda n: f"{n},{n % 2},{1 - n % 2}").replace("0,0,1\n", "", 1)
           for folder, name, count in (("Train_Set", "Training", 8), ("Test_Set", "Testing", 5))},
    }, labels=("DR", "MH"), splits={"train": 8, "test": 5}, what="classes", tool="RFMiD"),
    Shape("no header", "the split before the name", {
        "images/{0..8}.jpg": IMAGE, "import.csv": "\n".join(
            f"{'training' if n < 6 else 'test'},gs://b/images/{n}.jpg,{'ab'[n % 2]}"
            for n in range(9)),
    }, labels=("a", "b"), splits={"train": 6, "test": 3}, tool="Vertex AI"),
    Shape("several labels", "in brackets without quotes", {
        **NINE, "labels.csv": numbered(
            "file,label", 9, lambda n: f'p{n}.jpg,"[{"dog,wet" if n % 2 else "cat"}]"'),
    }, labels=("cat", "dog", "wet"), what="classes", tool="makesense.ai"),
    Shape("missing labels", "rows that a person rejected", {
        **NINE, "annotations.jsonl": "\n".join(
            json.dumps({"image": f"p{n}.jpg", "label": "ab"[n % 2],
                        "answer": "reject" if n in (2, 5) else "accept"}) for n in range(9)),
    }, labels=("a", "b"), says=("2 rows of annotations.jsonl whose answer is not 'accept'",),
        tool="Prodigy"),
    Shape("encodings", "Turkish of Windows", {
        **NINE, "l.csv": numbered(
            "file,label", 9, lambda n: f"p{n}.jpg,{'şişe' if n % 2 else 'ığdır'}").encode("cp1254"),
    }, error="cp1254 ('", tool="Excel, CSV"),
    Shape("formats of tools", "TFRecord of the same images beside them", {
        "train_images/p{0..8}.jpg": IMAGE, "train_tfrecords/ld00-9.tfrec": b"\0" * 40,
        "train.csv": numbered("image_id,label", 9, lambda n: f"p{n}.jpg,{n % 3}"),
    }, labels=("0", "1", "2"), tool="Kaggle Cassava"),
]
OTHERS = [
    Shape("formats that are not read", "XML of imglab", {
        "{0..3}.jpg": IMAGE, "training.xml": "<dataset><images><image file='0.jpg'>"
        "<box top='2' left='3' width='5' height='6'><label>a</label></box></image></images>"
        "</dataset>",
    }, error="training.xml is the XML of dlib's imglab", tool="dlib imglab"),
    Shape("formats that are not read", "a text with the label of each image", {
        "00{0..4}.jpg": IMAGE, "00{0..4}.cls": "1",
    }, error="000.cls is a text with the label of one image, which is not read: write a labels.csv",
        tool="WebDataset, unpacked"),
    Shape("formats that are not read", "texts of labels in a folder beside", {
        "images/{0..4}.jpg": IMAGE, "labels/{0..4}.txt": "cat\n",
    }, error="labels/0.txt is a text with the label of one image"),
    Shape("several labels", "of several people who differ", {
        **NINE, "ratings.csv": lines("image,rater,label", *(
            f"p{n}.jpg,{who},{'ab'[(n + (who == 'B')) % 2]}" for n in range(9) for who in "AB")),
    }, error="Column 'rater' names people who label the same images, 9 images of them in"),
    Shape("lists of labels", "a header, parted by tabs", {
        **NINE, "labels.txt": numbered("filename\tclass", 9, lambda n: f"p{n}.jpg\t{'ab'[n % 2]}"),
    }, labels=("a", "b"), tool="databases"),
    Shape("labels.csv beside images", "as Parquet", {
        "images/{0..8}.jpg": IMAGE, "metadata.parquet": _parquet(
            {"file_name": [f"images/{n}.jpg" for n in range(9)], "label": list("abababaab")}),
    }, labels=("a", "b"), tool="Hugging Face image folder"),
    Shape("tables of boxes", "the test table has no class", {
        "train/{0..5}.jpg": IMAGE, "test/z{0..2}.jpg": IMAGE,
        "a_train.csv": numbered("x1,y1,x2,y2,Class,image", 6, lambda n: f"1,1,9,9,{n % 2},{n}.jpg"),
        "a_test.csv": numbered("x1,y1,x2,y2,image", 3, lambda n: f"1,1,9,9,z{n}.jpg"),
    }, labels=("0", "1"), what="boxes", says=("a_test.csv (3 rows: a table without labels)",),
        tool="Stanford Cars"),
    Shape("altered copies", "the same names below noises", {
        f"{noise}/{c}/{c}_{{5..8}}.JPEG": IMAGE for noise in ("blur", "snow") for c in ("n1", "n2")
    }, labels=("n1", "n2"), says=("Images of one class are called alike in blur, snow",),
        tool="ImageNet-C"),
]
# fmt: on
MORE = [*FOLDERS, *TABLES, *OTHERS]
