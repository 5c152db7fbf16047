"""Shapes of tables: which column is what, how names and labels are written."""

from __future__ import annotations

import json

from tests.data.sources.shapes import IMAGE, Shape, lines, numbered

ABC, AB = "abc", "ab"
BOX = ((2.0, 3.0, 8.0, 6.0), "a")

# fmt: off
NINE = {"p{0..8}.jpg": IMAGE}

TABLES = [
    Shape("labels.csv beside images", "and a submission", {
        "train/{0..8}.png": IMAGE, "test/{9..11}.png": IMAGE,
        "train_labels.csv": numbered("id,has_cactus", 9, lambda n: f"{n}.png,{n % 2}"),
        "sample_submission.csv": numbered("id,has_cactus", 3, lambda n: f"{n + 9}.png,0.5"),
    }, labels=("0", "1"), says=("train_labels.csv", "column 'has_cactus'"), tool="Kaggle"),
    Shape("labels.csv beside images", "a table for each split", {
        "pics/{0..11}.png": IMAGE,
        "train.csv": numbered("file,label", 8, lambda n: f"{n}.png,{AB[n % 2]}"),
        "val.csv": numbered("file,label", 4, lambda n: f"{n + 8}.png,{AB[n % 2]}"),
    }, labels=("a", "b"), splits={"train": 8, "validation": 4}, says=("train.csv, val.csv",)),
    Shape("labels.csv beside images", "it says what the folders say", {
        "cat/{0..4}.png": IMAGE, "dog/{5..9}.png": IMAGE,
        "labels.csv": numbered("path,label,site", 10, lambda n:
            f"{'cat' if n < 5 else 'dog'}/{n}.png,{'C' if n < 5 else 'D'},s{n % 3}"),
    }, labels=("C", "D")),
    Shape("labels.csv beside images", "it says another thing than the folders", {
        "clinic_a/{0..4}.png": IMAGE, "clinic_b/{5..9}.png": IMAGE,
        "labels.csv": numbered("path,diagnosis", 10, lambda n:
            f"clinic_{'a' if n < 5 else 'b'}/{n}.png,{('flu', 'cold')[n % 2]}"),
    }, error="data.label_column=diagnosis"),
    Shape("ids without ending", "in part folders, another format", {
        "part_1/img_{0..4}.png": IMAGE, "part_2/img_{5..8}.png": IMAGE,
        "meta.csv": numbered("image_id,dx,age", 9, lambda n: f"img_{n},{ABC[n % 3]},{n}"),
    }, labels=("a", "b", "c"), says=("names without their ending",), tool="HAM10000"),
    Shape("ids without ending", "numbers", {
        "images/{10..18}.jpg": IMAGE,
        "labels.csv": numbered("id,label", 9, lambda n: f"{n + 10},{AB[n % 2]}"),
    }, open="labels.csv", labels=("a", "b"), says=("names without their ending",)),
    Shape("ids without ending", "converted to another format since", {
        "images/{0..8}.png": IMAGE,
        "labels.csv": numbered("image,label", 9, lambda n: f"{n}.tif,{AB[n % 2]}"),
    }, labels=("a", "b"), says=("names without their ending",)),
    Shape("paths of another machine", "of Windows", {
        "photos/{0..8}.jpg": IMAGE,
        "labels.csv": numbered("path,label", 9, lambda n:
            f"C:\\Users\\me\\photos\\{n}.jpg,{AB[n % 2]}"),
    }, open="labels.csv", labels=("a", "b"), says=("paths of another place",)),
    Shape("paths of another machine", "the folder that holds the table is named", {
        "train/p1/{0..3}.jpg": IMAGE, "train/p2/{4..8}.jpg": IMAGE,
        "train.csv": numbered("Path,label", 9, lambda n:
            f"Set-v1.0/train/p{1 if n < 4 else 2}/{n}.jpg,{AB[n % 2]}"),
    }, labels=("a", "b"), says=("paths of another place",), tool="CheXpert"),
    Shape("paths of another machine", "the same name in two folders", {
        "camA/{0..4}.jpg": IMAGE, "camB/{0..4}.jpg": IMAGE,
        "labels.csv": numbered("image,label", 5, lambda n: f"{n}.jpg,{AB[n % 2]}"),
    }, error="could be 2 images"),
    Shape("paths of another machine", "none of them is there", {
        "x/q{0..3}.jpg": IMAGE,
        "labels.csv": numbered("image,label", 5, lambda n: f"/mnt/d/z{n}.jpg,{AB[n % 2]}"),
    }, open="labels.csv", error="the first is '/mnt/d/z0.jpg'"),
    Shape("no header", "a table of boxes", {
        "im{0..5}.jpg": IMAGE,
        "annotations.csv": lines(*(f"im{n}.jpg,2,3,10,9,{AB[n % 2]}" for n in range(6))),
    }, open="annotations.csv", labels=("a", "b"), what="boxes", first=("im0.jpg", BOX),
        says=("no header",), tool="Roboflow RetinaNet, keras-retinanet"),
    Shape("no header", "label first", {
        **NINE, "list.csv": lines(*(f"{AB[n % 2]},p{n}.jpg" for n in range(9))),
    }, open="list.csv", labels=("a", "b"), says=("no header",)),
    Shape("an unknown label column", "several columns of text", {
        **NINE, "list.csv": numbered("image,soil,crop", 9, lambda n:
            f"p{n}.jpg,{('clay', 'sand')[n % 2]},{ABC[n % 3]}"),
    }, open="list.csv", error="--set data.label_column=soil (2 classes: clay, sand)"),
    Shape("an unknown label column", "the only one that repeats", {
        **NINE, "list.csv": numbered("image,soil,comment", 9, lambda n:
            f"p{n}.jpg,{('clay', 'sand')[n % 2]},seen {n}"),
    }, open="list.csv", labels=("clay", "sand"), says=("set data.label_column",)),
    Shape("an unknown label column", "attributes are none", {
        **NINE, "list.csv": numbered("image,sex,view,finding_name", 9, lambda n:
            f"p{n}.jpg,{'mf'[n % 2]},{('PA', 'AP')[n % 2]},{ABC[n % 3]}"),
    }, open="list.csv", labels=("a", "b", "c")),
    Shape("columns of 0 and 1", "beside a text column", {
        **NINE, "list.csv": numbered("image,fever,cough,outcome", 9, lambda n:
            f"p{n}.jpg,{n % 2},{n // 2 % 2},{('well', 'ill')[n % 2]}"),
    }, open="list.csv", error="data.label_columns=[fever,cough]"),
    Shape("columns of 0 and 1", "written as 1.0 and 0.0", {
        **NINE, "truth.csv": numbered("image,MEL,NV", 9, lambda n:
            f"p{n},{float(n % 2)},{float(1 - n % 2)}"),
    }, open="truth.csv", labels=("MEL", "NV"), what="classes",
        says=("Exactly one of 2 columns",), tool="ISIC"),
    Shape("columns of 0 and 1", "uncertain ones as a rule says", {
        **NINE, "list.csv": numbered("image,edema,fracture", 9, lambda n:
            f"p{n}.jpg,{(1, 0, -1)[n % 3]},{n % 2}"),
    }, open="list.csv", labels=("edema", "fracture"), what="classes",
        config={"uncertain_labels": "positive"}, first=("p2.jpg", "edema"), tool="CheXpert"),
    Shape("columns of 0 and 1", "uncertain and blank", {
        **NINE, "list.csv": numbered("image,edema,fracture", 9, lambda n:
            f"p{n}.jpg,{('1.0', '', '-1.0')[n % 3]},{n % 2}"),
    }, open="list.csv", error="data.uncertain_labels", tool="CheXpert"),
    Shape("missing labels", "NA in a numbered column", {
        **NINE, "list.csv": numbered("image,label", 9, lambda n: f"p{n}.jpg,{(0, 1, 'NA')[n % 3]}"),
    }, open="list.csv", labels=("0", "1"), says=("read as no label",), tool="R"),
    Shape("missing labels", "-1 for the test set", {
        **NINE, "list.jsonl": lines(*(json.dumps(
            {"image": f"p{n}.jpg", "label": (0, 1, -1)[n % 3]}) for n in range(9))),
    }, open="list.jsonl", labels=("0", "1"), says=("'-1' in 3 rows",)),
    Shape("missing labels", "none is a class", {
        **NINE, "list.csv": numbered("image,label", 9, lambda n:
            f"p{n}.jpg,{('crack', 'none')[n % 2]}"),
    }, open="list.csv", labels=("crack", "none")),
    Shape("several labels", "a list as text", {
        **NINE, "list.csv": numbered("image;labels", 9, lambda n:
            f"p{n}.jpg;['a']" if n % 2 else f"p{n}.jpg;['a', 'b']"),
    }, open="list.csv", labels=("a", "b"), what="classes", first=("p0.jpg", "a, b"), tool="pandas"),
    Shape("several labels", "a vector as text", {
        **NINE, "list.csv": numbered("image;target", 9, lambda n: f"p{n}.jpg;[1 {n % 2} 0]"),
    }, open="list.csv", labels=("0", "1"), what="classes", first=("p0.jpg", "0"), tool="numpy",
        says=("set data.classes to 3 names",)),
    Shape("several labels", "a vector with names", {
        **NINE, "list.csv": numbered("image;target", 9, lambda n: f"p{n}.jpg;[1, {n % 2}, 0]"),
    }, open="list.csv", config={"classes": ["car", "bus", "tram"]}, labels=("car", "bus"),
        what="classes", first=("p1.jpg", "bus, car")),
    Shape("several labels", "a vector with too few names", {
        **NINE, "list.csv": numbered("image;target", 9, lambda n: f"p{n}.jpg;[1, {n % 2}, 0]"),
    }, open="list.csv", config={"classes": ["car", "bus"]}, error="gives 2 names"),
    Shape("columns of 0 and 1", "one of them never set", {
        **NINE, "list.csv": numbered("image,a,b,c", 9, lambda n:
            f"p{n}.jpg,{n % 2},{n % 3 // 2},0"),
    }, open="list.csv", labels=("a", "b"), what="classes", says=("not used as a class: 'c'",)),
    Shape("columns of 0 and 1", "each set in one file alone", {
        "train/{0..4}.jpg": IMAGE, "valid/{5..8}.jpg": IMAGE,
        "train/_classes.csv": numbered("filename, a, b", 5, lambda n: f"{n}.jpg, 1, 0"),
        "valid/_classes.csv": numbered("filename, a, b", 4, lambda n: f"{n + 5}.jpg, 0, 1"),
    }, labels=("a", "b"), what="classes", splits={"train": 5, "validation": 4},
        tool="Roboflow multi-class"),
    Shape("labels.csv beside images", "a table for each class", {
        **NINE, "cancer.csv": numbered("image,has_cancer", 4, lambda n: f"p{n}.jpg,1"),
        "healthy.csv": numbered("image,has_cancer", 5, lambda n: f"p{n + 4}.jpg,0"),
    }, labels=("0", "1"), first=("p0.jpg", "1"), says=("the tables cancer.csv, healthy.csv",)),
    Shape("labels.csv beside images", "a class in each split alone", {
        **NINE, "train.csv": numbered("image,has_cancer", 5, lambda n: f"p{n}.jpg,1"),
        "val.csv": numbered("image,has_cancer", 4, lambda n: f"p{n + 5}.jpg,0"),
    }, error="Only one class, '1', to learn from"),
    Shape("columns of 0 and 1", "one of them never set, named", {
        **NINE, "list.csv": numbered("image,a,b", 9, lambda n: f"p{n}.jpg,1,0"),
    }, open="list.csv", config={"label_columns": ["a", "b"]}, labels=("a",), what="classes",
        first=("p0.jpg", "a")),
    Shape("several labels", "one row for each", {
        **NINE, "list.csv": lines("image,label", *(
            f"p{n}.jpg,{c}" for n in range(9) for c in ("ab" if n % 2 else "c"))),
    }, open="list.csv", labels=("a", "b", "c"), what="classes", first=("p1.jpg", "a, b"),
        says=("one row for each label",)),
    Shape("several labels", "tags with blanks", {
        **NINE, "list.csv": numbered("image_name,tags", 9, lambda n:
            f"p{n},{('haze primary', 'clear primary', 'clear water primary')[n % 3]}"),
    }, open="list.csv", labels=("clear", "haze", "primary", "water"), what="classes",
        tool="planet: understanding the Amazon"),
    Shape("several labels", "blanks in names", {
        **NINE, "list.csv": numbered("image,label", 9, lambda n:
            f"p{n}.jpg,{('red car', 'blue car', 'red bus')[n % 3]}"),
    }, open="list.csv", labels=("blue car", "red bus", "red car")),
    Shape("several labels", "towns with a comma", {
        **NINE, "list.csv": numbered("image;label", 9, lambda n:
            f"p{n}.jpg;{('Lyon, France', 'Nice, France', 'Bonn')[n % 3]}"),
    }, open="list.csv", labels=("Bonn", "Lyon, France", "Nice, France"), says=("hold ','",)),
    Shape("several labels", "findings with a bar", {
        **NINE, "list.csv": numbered("Image Index,Finding Labels,Patient Age", 9, lambda n:
            f"p{n}.jpg,{('Mass', 'Edema', 'Mass|Edema')[n % 3]},{n + 40}"),
    }, open="list.csv", labels=("Edema", "Mass"), what="classes", tool="ChestX-ray14"),
    Shape("several labels", "an object from names to lists", {
        **NINE, "list.json": json.dumps({f"p{n}.jpg": ["a"] if n % 2 else ["a", "b"]
                                         for n in range(9)}),
    }, open="list.json", labels=("a", "b"), what="classes"),
    Shape("tables of boxes", "corners sorted by axis, as shares", {
        "{0..5}.jpg": IMAGE,
        "boxes.csv": numbered("ImageID,Source,LabelName,XMin,XMax,YMin,YMax", 6, lambda n:
            f"{n},x,{AB[n % 2]},0.125,0.625,0.25,0.75"),
    }, open="boxes.csv", labels=("a", "b"), what="boxes", first=("0.jpg", BOX),
        tool="Open Images"),
    Shape("tables of boxes", "with empty rows", {
        "im{0..5}.jpg": IMAGE,
        "export.csv": lines('"image","xmin","ymin","xmax","ymax","label"', *(
            f'"im{n}.jpg",2,3,10,9,"{AB[n % 2]}"' for n in range(5)), '"im5.jpg",,,,,'),
    }, labels=("a", "b"), what="boxes", first=("im0.jpg", BOX), tool="VoTT"),
    Shape("tables of boxes", "corner and size", {
        "im{0..5}.jpg": IMAGE,
        "boxes.csv": numbered("image_id,class_name,x,y,width,height", 6, lambda n:
            f"im{n},{AB[n % 2]},2,3,8,6"),
    }, labels=("a", "b"), what="boxes", first=("im0.jpg", BOX)),
    Shape("tables of boxes", "a table in each split", {
        "train/{0..5}.jpg": IMAGE, "valid/{6..8}.jpg": IMAGE,
        "train/_annotations.csv": numbered("filename,width,height,class,xmin,ymin,xmax,ymax", 6,
            lambda n: f"{n}.jpg,16,12,{AB[n % 2]},2,3,10,9"),
        "valid/_annotations.csv": numbered("filename,width,height,class,xmin,ymin,xmax,ymax", 3,
            lambda n: f"{n + 6}.jpg,16,12,{AB[n % 2]},2,3,10,9"),
    }, labels=("a", "b"), what="boxes", splits={"train": 6, "validation": 3},
        first=("train/0.jpg", BOX), tool="Roboflow Tensorflow CSV"),
    Shape("tables of boxes", "a list in a text, no class", {
        "im{0..5}.jpg": IMAGE,
        "train.csv": numbered("image_id;width;height;bbox", 6, lambda n:
            f"im{n};16;12;[2.0, 3.0, 8.0, 6.0]"),
    }, error="no column is known to hold their classes", tool="global wheat detection"),
    Shape("encodings", "UTF-16", {
        **NINE, "list.csv": numbered("image,label", 9, lambda n:
            f"p{n}.jpg,{('größe', 'kratzer')[n % 2]}").encode("utf-16"),
    }, open="list.csv", labels=("größe", "kratzer"), tool="Excel, Unicode text"),
    Shape("encodings", "cp1252 with accents", {
        **NINE, "list.csv": numbered("image;label", 9, lambda n:
            f"p{n}.jpg;{('fêlure', 'rayé')[n % 2]}").encode("cp1252"),
    }, open="list.csv", labels=("fêlure", "rayé"), says=("read as cp1252",), tool="Excel, CSV"),
    Shape("encodings", "Cyrillic of Windows", {
        **NINE, "list.csv": numbered("image;label", 9, lambda n:
            f"p{n}.jpg;{('трещина', 'норма')[n % 2]}").encode("cp1251"),
    }, open="list.csv", error="set data.encoding", tool="Excel, CSV"),
    Shape("encodings", "Cyrillic of Windows, named", {
        **NINE, "list.csv": numbered("image;label", 9, lambda n:
            f"p{n}.jpg;{('трещина', 'норма')[n % 2]}").encode("cp1251"),
    }, open="list.csv", labels=("норма", "трещина"), config={"encoding": "cp1251"}),
    Shape("columns of 0 and 1", "written as 1 and -1", {
        "img/{0..8}.jpg": IMAGE, "list_attr.csv": numbered("image_id,Smiling,Young", 9, lambda n:
            f"{n}.jpg,{1 if n % 2 else -1},{1 if n % 3 else -1}"),
    }, labels=("Smiling", "Young"), what="classes", first=("img/1.jpg", "Smiling, Young"),
        tool="CelebA"),
    Shape("an unknown label column", "attributes and one flag", {
        "train/{0..5}.jpg": IMAGE, "val/{6..8}.jpg": IMAGE,
        "label_train.csv": numbered("file,gender,race,service_test", 6, lambda n:
            f"train/{n}.jpg,{'MF'[n % 2]},{ABC[n % 3]},{bool(n % 2)}"),
        "label_val.csv": numbered("file,gender,race,service_test", 3, lambda n:
            f"val/{n + 6}.jpg,{'MF'[n % 2]},{ABC[n % 3]},{bool(n % 2)}"),
    }, error="data.label_column=gender", tool="FairFace"),
    Shape("labels.csv beside images", "two tables of the same images", {
        **NINE, "a.csv": numbered("image,label", 9, lambda n: f"p{n}.jpg,{AB[n % 2]}"),
        "b.csv": numbered("image,label", 9, lambda n: f"p{n}.jpg,{ABC[n % 3]}"),
    }, error="data.table=a.csv"),
    Shape("labels.csv beside images", "a spreadsheet", {**NINE, "labels.xlsx": b"PK"},
        error="save it as CSV"),
    Shape("tables of boxes", "regions of signs in class folders", {
        "Train/0/{0..3}.png": IMAGE, "Train/1/{4..7}.png": IMAGE, "Test/{10..12}.png": IMAGE,
        "Train.csv": numbered("Width,Height,Roi.X1,Roi.Y1,Roi.X2,Roi.Y2,ClassId,Path", 8, lambda n:
            f"16,12,2,3,10,9,{n // 4},Train/{n // 4}/{n}.png"),
        "Test.csv": numbered("Width,Height,Roi.X1,Roi.Y1,Roi.X2,Roi.Y2,ClassId,Path", 3, lambda n:
            f"16,12,2,3,10,9,{n % 2},Test/{n + 10}.png"),
    }, labels=("0", "1"), what="boxes", splits={"train": 8, "test": 3}, tool="GTSRB"),
    Shape("ids without ending", "in other capitals", {
        "p{0..8}.JPG": IMAGE, "x.csv": numbered("image,label", 9, lambda n:
            f"P{n}.jpg,{AB[n % 2]}"),
    }, labels=("a", "b"), tool="Windows"),
    Shape("splits of a table", "PublicTest", {
        **NINE, "a.csv": numbered("image,emotion,Usage", 9, lambda n:
            f"p{n}.jpg,{AB[n % 2]},{'Training' if n < 6 else 'PublicTest'}"),
    }, labels=("a", "b"), splits={"train": 6, "test": 3}, tool="FER2013"),
    Shape("splits of a table", "is_train", {
        **NINE, "a.csv": numbered("image,label,is_train", 9, lambda n:
            f"p{n}.jpg,{AB[n % 2]},{int(n < 6)}"),
    }, labels=("a", "b"), splits={"train": 6, "test": 3}),
    Shape("splits of a table", "folds are none", {
        **NINE, "a.csv": numbered("image,label,fold", 9, lambda n:
            f"p{n}.jpg,{AB[n % 2]},{n % 3}"),
    }, labels=("a", "b")),
    Shape("missing labels", "blanks around names", {
        **NINE, "l.csv": numbered("image , label ", 9, lambda n:
            f"p{n}.jpg , {(*AB, '')[n % 3]} "),
    }, open="l.csv", labels=("a", "b")),
    Shape("paths of another machine", "a table in a folder beside the images", {
        "images/{0..8}.jpg": IMAGE, "annotations/l.csv": numbered("image,label", 9, lambda n:
            f"{n}.jpg,{AB[n % 2]}"),
    }, open="annotations/l.csv", labels=("a", "b")),
]
