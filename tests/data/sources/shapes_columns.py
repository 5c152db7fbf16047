"""Shapes of tables and of boxes that exports and competitions have."""

from __future__ import annotations

import json

from tests.data.sources.shapes import IMAGE, Shape, lines, numbered
from tests.data.sources.shapes_tools import coco

AB, ABC = "ab", "abc"
BOX = ((2.0, 3.0, 8.0, 6.0), "a")
NINE = {"p{0..8}.jpg": IMAGE}

# fmt: off
COLUMNS = [
    Shape("two label columns", "a number and its name", {
        **NINE, "l.csv": numbered(",Filename,Label,ClassName", 9, lambda n:
            f"{n},p{n}.jpg,{n % 2},{('Forest', 'River')[n % 2]}"),
    }, labels=("Forest", "River"), says=("hold the same classes",), tool="EuroSAT"),
    Shape("two label columns", "they differ", {
        **NINE, "l.csv": numbered("image,label,category", 9, lambda n:
            f"p{n}.jpg,{n % 2},{ABC[n % 3]}"),
    }, error="--set data.label_column=category (3 classes: a, b, c)"),
    Shape("several labels", "numbers with blanks", {
        "train/{0..8}.png": IMAGE, "train.csv": numbered("Id,Target", 9, lambda n:
            f"{n},{('16 0', '25', '16 25')[n % 3]}"),
    }, labels=("0", "16", "25"), what="classes", first=("train/0.png", "0, 16"),
        tool="Human Protein Atlas"),
    Shape("several labels", "a set or a tuple as text", {
        **NINE, "l.csv": numbered("image;labels", 9, lambda n:
            f"p{n}.jpg;" + ("{'a', 'b'}", "{'a'}", "('b',)")[n % 3]),
    }, labels=("a", "b"), what="classes", first=("p0.jpg", "a, b"), tool="pandas"),
    Shape("several labels", "0 and 1 with commas", {
        **NINE, "l.csv": numbered("image;label", 9, lambda n:
            f"p{n}.jpg;{('1,0,0', '0,1,1', '1,1,0')[n % 3]}"),
    }, labels=("0", "1", "2"), what="classes", first=("p1.jpg", "1, 2")),
    Shape("several labels", "0 and 1 with blanks", {
        **NINE, "l.csv": numbered("image;labels", 9, lambda n:
            f"p{n}.jpg;{('1 0 0', '0 1 1', '1 1 0')[n % 3]}"),
    }, labels=("0", "1", "2"), what="classes", says=("set data.classes to 3 names",)),
    Shape("columns of 0 and 1", "an x where it is so", {
        **NINE, "l.csv": numbered("image;scratch;dent", 9, lambda n:
            f"p{n}.jpg;{'x' if n % 2 else ''};{'x' if n % 3 else ''}"),
    }, labels=("scratch", "dent"), what="classes", first=("p1.jpg", "dent, scratch"),
        tool="Excel"),
    Shape("columns of 0 and 1", "Y and N", {
        **NINE, "l.csv": numbered("image;scratch;dent", 9, lambda n:
            f"p{n}.jpg;{'NY'[n % 2]};{'NY'[n % 3 // 2]}"),
    }, labels=("scratch", "dent"), what="classes", first=("p5.jpg", "dent, scratch")),
    Shape("labels that are none", "measured numbers", {
        **NINE, "l.csv": numbered("image,label", 9, lambda n: f"p{n}.jpg,{n * 0.37 + 0.01:.3f}"),
    }, error="regression is not available"),
    Shape("labels that are none", "no column that could be one", {
        "images/{100..108}.jpg": IMAGE,
        "l.csv": numbered("GalaxyID,Class1.1,Class1.2", 9, lambda n: f"{n + 100},0.{n}3,0.{n}1"),
    }, error="no column is known to hold their labels: set data.label_column to one of 'Class1.1'",
        tool="Galaxy Zoo"),
    Shape("missing labels", "-1 beside names", {
        **NINE, "l.csv": numbered("image,label", 9, lambda n:
            f"p{n}.jpg,{('cat', 'dog', '-1')[n % 3]}"),
    }, labels=("cat", "dog"), says=("'-1' in 3 rows",)),
    Shape("missing labels", "-1.0 beside 0.0 and 1.0", {
        **NINE, "l.csv": numbered("image,label", 9, lambda n:
            f"p{n}.jpg,{('0.0', '1.0', '-1.0')[n % 3]}"),
    }, labels=("0.0", "1.0"), says=("'-1.0' in 3 rows",)),
    Shape("missing labels", "a question mark", {
        **NINE, "l.csv": numbered("image,label", 9, lambda n:
            f"p{n}.jpg,{('cat', 'dog', '?')[n % 3]}"),
    }, labels=("cat", "dog"), says=("'?' in 3 rows",), tool="Weka"),
    Shape("splits of a table", "is_valid", {
        **NINE, "l.csv": numbered("image,label,is_valid", 9, lambda n:
            f"p{n}.jpg,{AB[n % 2]},{n > 5}"),
    }, labels=("a", "b"), splits={"train": 6, "validation": 3}, tool="fastai"),
    Shape("splits of a table", "is_valid means that an image is good", {
        **NINE, "l.csv": numbered("image,label,is_valid", 9, lambda n:
            f"p{n}.jpg,{AB[n % 2]},{n > 0}"),
    }, labels=("a", "b")),
    Shape("splits of a table", "TRN and TST", {
        **NINE, "l.csv": numbered("image,label,set", 9, lambda n:
            f"p{n}.jpg,{AB[n % 2]},{'TRN' if n < 6 else 'TST'}"),
    }, labels=("a", "b"), splits={"train": 6, "test": 3}),
    Shape("ids without ending", "the table's name tells which folder", {
        "train/{1..9}.png": IMAGE, "test/{1..4}.png": IMAGE,
        "trainLabels.csv": numbered("id,label", 9, lambda n: f"{n + 1},{ABC[n % 3]}"),
    }, labels=("a", "b", "c"), first=("train/1.png", "a"), tool="Kaggle CIFAR-10"),
    Shape("separators of a table", "a bar", {
        **NINE, "l.csv": numbered("image|label", 9, lambda n: f"p{n}.jpg|{AB[n % 2]}"),
    }, labels=("a", "b")),
    Shape("separators of a table", "a line that names it", {
        **NINE, "l.csv": "sep=;\n" + numbered("image;label", 9, lambda n: f"p{n}.jpg;{AB[n % 2]}"),
    }, labels=("a", "b"), tool="Excel"),
    Shape("JSON of images", "a list below a key", {
        **NINE, "l.json": json.dumps({"info": {"v": 1}, "images": [
            {"file": f"p{n}.jpg", "label": AB[n % 2]} for n in range(9)]}),
    }, labels=("a", "b")),
    Shape("JSON of images", "names of images for each class", {
        **NINE, "l.json": json.dumps({"a": [f"p{n}.jpg" for n in range(5)],
                                      "b": [f"p{n}.jpg" for n in range(5, 9)]}),
    }, labels=("a", "b"), first=("p8.jpg", "b")),
    Shape("JSON of images", "rows for each split", {
        **NINE, "l.json": json.dumps({split: [
            {"image": f"p{n}.jpg", "label": AB[n % 2]} for n in numbers]
            for split, numbers in (("train", range(6)), ("val", range(6, 9)))}),
    }, labels=("a", "b"), splits={"train": 6, "validation": 3}),
    Shape("JSON of images", "lists for each split", {
        "cat/{0..5}.jpg": IMAGE, "dog/{0..5}.jpg": IMAGE, "split.json": json.dumps({split: [
            [f"{c}/{n}.jpg", i, c] for i, c in enumerate(("cat", "dog")) for n in numbers]
            for split, numbers in (("train", range(4)), ("test", range(4, 6)))}),
    }, labels=("cat", "dog"), splits={"train": 8, "test": 4}, tool="CoOp"),
]

BOXES = [
    Shape("no header", "the size of the image at the end", {
        "images/train_{0..5}.jpg": IMAGE, "annotations/annotations_train.csv": lines(*(
            f"train_{n}.jpg,2,3,10,9,{AB[n % 2]},16,12" for n in range(6))),
    }, labels=("a", "b"), what="boxes", first=("train_0.jpg", BOX), tool="SKU-110K"),
    Shape("no header", "label and box before the name", {
        "im{0..5}.jpg": IMAGE,
        "labels.csv": lines(*(f"{AB[n % 2]},2,3,8,6,im{n}.jpg,16,12" for n in range(6))),
    }, labels=("a", "b"), what="boxes", first=("im0.jpg", BOX), tool="makesense.ai"),
    Shape("tables of boxes", "VIA's CSV", {
        "im{0..5}.jpg": IMAGE, "via.csv": lines(
            "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,"
            "region_attributes", *(
                f'im{n}.jpg,9,"{{}}",1,0,"{{""name"":""rect"",""x"":2,""y"":3,""width"":8,'
                f'""height"":6}}","{{""type"":""{AB[n % 2]}""}}"' for n in range(6))),
    }, labels=("a", "b"), what="boxes", first=("im0.jpg", BOX), tool="VIA"),
    Shape("tables of boxes", "images without a finding", {
        "train/im{0..5}.jpg": IMAGE, "train.csv": lines(
            "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max",
            *(f"im{n},{AB[n % 2]},{n % 2},R{n},2,3,10,9" for n in range(5)),
            "im5,No finding,14,R1,,,,"),
    }, labels=("a", "b"), what="boxes", first=("train/im0.jpg", BOX), tool="VinBigData"),
    Shape("COCO", "one file, images in folders of splits", {
        "train/{0..5}.jpg": IMAGE, "val/{6..8}.jpg": IMAGE,
        "annotations.json": coco([f"{'train' if n < 6 else 'val'}/{n}.jpg" for n in range(9)]),
    }, labels=("a", "b"), what="boxes", splits={"train": 6, "validation": 3},
        says=("from the folders",)),
    Shape("COCO", "polygons without boxes", {
        "{0..5}.jpg": IMAGE, "a.json": coco([f"{n}.jpg" for n in range(6)], annotations=[
            {"id": n, "image_id": n, "category_id": n % 2 + 1,
             "segmentation": [[2, 3, 10, 3, 10, 9], [2, 9, 5, 8, 4, 8]]} for n in range(6)]),
    }, labels=("a", "b"), what="boxes", first=("0.jpg", BOX)),
    Shape("COCO", "packed masks without boxes", {
        "{0..5}.jpg": IMAGE, "a.json": coco([f"{n}.jpg" for n in range(6)], annotations=[
            {"id": n, "image_id": n, "category_id": 1, "segmentation": {"counts": "x", "size": [1]}}
            for n in range(6)]),
    }, error="annotation 0 has no bbox of four numbers"),
    Shape("COCO", "panoptic", {
        "val/{0..5}.jpg": IMAGE, "panoptic_val.json": coco(
            [f"{n}.jpg" for n in range(6)],
            annotations=[{"image_id": n, "segments_info": []} for n in range(6)]),
    }, error="COCO for panoptic segmentation", tool="cocodataset.org"),
    Shape("YOLO", "labels in a folder of another name", {
        "imgs_all/{0..5}.jpg": IMAGE, "yolo_txt/{0..5}.txt": lambda n: f"{n % 2} .375 .5 .5 .5\n",
        "obj.names": "a\nb\n",
    }, labels=("a", "b"), what="boxes", first=("imgs_all/0.jpg", BOX)),
    Shape("YOLO", "a confidence after the box", {
        "images/{0..5}.jpg": IMAGE, "labels/{0..5}.txt": "0 .5 .5 .5 .5 .9\n",
        "classes.txt": "a\nb\n",
    }, error="Remove a fifth one that is a confidence", tool="Ultralytics predict"),
    Shape("formats of tools", "OIDv4 ToolKit", {
        "train/Apple/{0..3}.jpg": IMAGE, "train/Apple/Label/{0..3}.txt": "Red apple 2 3 10 9\n",
        "train/Pear/{4..7}.jpg": IMAGE, "train/Pear/Label/{4..7}.txt": "Pear 2.0 3.0 10.0 9.0\n",
    }, labels=("Pear", "Red apple"), what="boxes", splits={"train": 8},
        first=("train/Pear/4.jpg", ((2.0, 3.0, 8.0, 6.0), "Pear")), tool="OIDv4 ToolKit"),
    Shape("formats of tools", "BDD100K", {
        "images/100k/train/im{0..5}.jpg": IMAGE,
        "labels/bdd100k_labels_images_train.json": json.dumps([
            {"name": f"im{n}.jpg", "attributes": {"weather": "clear"}, "labels": [
                {"category": AB[n % 2], "box2d": {"x1": 2, "y1": 3, "x2": 10, "y2": 9}},
                {"category": "lane", "poly2d": []}]} for n in range(6)]),
    }, labels=("a", "b"), what="boxes", splits={"train": 6}, says=("6 lane",),
        first=("images/100k/train/im0.jpg", BOX), tool="BDD100K"),
    Shape("formats of tools", "BDD100K, a file for each image", {
        "train/im{0..5}.jpg": IMAGE,
        "labels/train/im{0..5}.json": lambda n: json.dumps({"name": f"im{n}", "frames": [
            {"objects": [{"category": AB[n % 2],
                          "box2d": {"x1": 2, "y1": 3, "x2": 10, "y2": 9}}]}]}),
    }, labels=("a", "b"), what="boxes", splits={"train": 6}, first=("train/im0.jpg", BOX),
        tool="BDD100K"),
    Shape("tables of boxes", "Label Studio's short JSON", {
        "im{0..5}.jpg": IMAGE, "min.json": json.dumps([
            {"image": f"/data/upload/1/im{n}.jpg", "label": [
                {"x": 12.5, "y": 25, "width": 50, "height": 50, "rectanglelabels": ["a"]}]}
            for n in range(6)]),
    }, labels=("a",), what="boxes", first=("im0.jpg", ((2, 3, 8, 6), "a")),
        tool="Label Studio JSON_MIN"),
    Shape("tables of boxes", "Label Studio's CSV", {
        "im{0..5}.jpg": IMAGE, "ls.csv": lines("image,id,label", *(
            f'/data/upload/1/im{n}.jpg,{n},"[{{""x"":12.5,""y"":25,""width"":50,""height"":50,'
            f'""rotation"":0,""rectanglelabels"":[""{"ab"[n % 2]}""]}}]"' for n in range(6))),
    }, labels=("a", "b"), what="boxes", first=("im0.jpg", ((2, 3, 8, 6), "a")),
        tool="Label Studio CSV"),
    Shape("tables of boxes", "objects that nothing is known of", {
        "im{0..5}.jpg": IMAGE, "l.json": json.dumps([
            {"image": f"im{n}.jpg", "label": [{"where": "left", "what": "a"}]} for n in range(6)]),
    }, error="holds lists of objects, which are not labels"),
    Shape("COCO", "two versions of the same annotations", {
        "images/im{0..5}.jpg": IMAGE, **{f"v{k}.json": json.dumps({
            "images": [{"id": n, "file_name": f"im{n}.jpg"} for n in range(6)],
            "annotations": [{"image_id": n, "category_id": n % 2, "bbox": [2, 3, 8, 6]}
                            for n in range(6)],
            "categories": [{"id": 0, "name": "a"}, {"id": 1, "name": "b"}]}) for k in (1, 2)},
    }, error="--set data.leave_out=[v2.json] (v1.json alone)"),
    Shape("COCO", "one of two versions", {
        "images/im{0..5}.jpg": IMAGE, **{f"v{k}.json": json.dumps({
            "images": [{"id": n, "file_name": f"im{n}.jpg"} for n in range(6)],
            "annotations": [{"image_id": n, "category_id": n % k, "bbox": [2, 3, 8, 6]}
                            for n in range(6)],
            "categories": [{"id": 0, "name": "a"}, {"id": 1, "name": "b"}]}) for k in (1, 2)},
    }, config={"leave_out": ["v1*"]}, what="boxes", labels=("a", "b"),
        says=("data.leave_out (1 file: as asked)",)),
    Shape("formats that are not read", "captions", {
        "{0..5}.jpg": IMAGE, "captions.json": json.dumps({
            "images": [{"id": n, "file_name": f"{n}.jpg"} for n in range(6)],
            "annotations": [{"id": n, "image_id": n, "caption": "a cat"} for n in range(6)]}),
    }, error="captions.json is a list of captions", tool="cocodataset.org"),
    Shape("formats of tools", "LabelMe with the images inside of it", {
        "{0..3}.json": lambda n: json.dumps({
            "shapes": [{"label": "a", "points": [[1, 1], [5, 5]], "shape_type": "rectangle"}],
            "imagePath": f"{n}.jpg", "imageData": "/9j/4AAQ"}),
    }, error="write the images out with labelme_export_json", tool="LabelMe"),
]
