"""What columns are usually called, and what they then hold."""

from __future__ import annotations

import re

IMAGE_NAMES = frozenset({
    "image", "img", "picture", "photo", "filename", "file", "path", "filepath", "imagepath",
    "imagefile", "imgpath", "imagefilename", "imagefilepath", "imgfile", "imgname", "imagename",
    "imgfilename", "filenames", "images", "fname", "picturepath", "photopath", "fullpath",
    "relativepath", "relpath", "imagelocation", "jpg",
    "bild", "bilddatei", "bildname", "datei", "dateiname", "dateipfad", "fichier", "nomfichier",
    "imagen", "archivo", "fichero", "immagine", "imagem", "arquivo", "ficheiro", "afbeelding",
    "bestand", "bestandsnaam", "zdjęcie", "plik", "файл", "изображение", "имяфайла",
    "文件", "文件名", "图片", "图像", "檔名", "圖片", "ファイル", "ファイル名", "画像", "画像名",
    "파일", "파일명", "이미지",
})  # fmt: skip
"""Columns that name or hold the image, in the languages in which people keep their tables."""

ID_NAMES = frozenset({
    "id", "imageid", "idcode", "imgid", "isicid", "imageindex", "patientid", "pictureid",
    "photoid", "uid", "uuid", "name", "key", "sample", "sampleid", "slide", "scanid",
    "imagekey", "filestem", "stem", "identifier", "imgkey", "studyid", "examid", "itemid",
    "fileid", "frame", "frameid", "imagenumber", "clip", "tile", "tileid", "patch", "patchid",
})  # fmt: skip
"""Columns that name the image if their values are names of files."""

LABEL_NAMES = frozenset({
    "label", "labels", "class", "classname", "target", "category", "tags",
    "klasse", "kategorie", "classe", "catégorie", "categorie", "étiquette", "etiquette", "clase",
    "categoría", "categoria", "etiqueta", "etichetta", "rótulo", "klasa", "etykieta", "класс",
    "метка", "标签", "类别", "標籤", "類別", "ラベル", "クラス", "라벨", "클래스",
})  # fmt: skip
"""Columns that hold the labels, taken without further evidence."""

ATTRIBUTE_WORDS = frozenset({
    "age", "sex", "gender", "race", "ethnicity", "view", "laterality", "side", "site", "camera",
    "device", "scanner", "hospital", "clinic", "center", "centre", "date", "time", "year", "month",
    "day", "hour", "timestamp", "patient", "subject", "person", "group", "fold", "split", "source",
    "exposure", "operator", "width", "height", "size", "depth", "channels", "lat", "lon",
    "latitude", "longitude", "location", "country", "city", "region", "manufacturer", "model",
    "lens", "iso", "url", "link", "license", "licence", "author", "photographer", "comment",
    "comments", "notes", "note", "description", "caption", "title", "index", "weight", "batch",
    "lot", "shift", "machine", "line", "station", "roll", "series", "session", "position",
    "orientation", "rotation", "md5", "sha256", "hash", "format", "extension", "temperature",
    "followup", "frontal", "lateral", "ap", "pa", "confidence", "score", "probability",
    "annotator", "rater", "reader", "height]", "usage", "localization", "bytes", "filesize",
})  # fmt: skip
"""Words of columns that describe an image without being what is learned."""

RATERS = frozenset({
    "rater", "raterid", "annotator", "annotatorid", "reader", "readerid", "worker", "workerid",
    "labeler", "labeller", "labelerid", "expert", "expertid", "radid", "grader", "graderid",
})  # fmt: skip
"""Columns that say who gave the label of a row."""

SPLIT_NAMES = frozenset({"split", "partition", "subset", "set", "dataset", "fold", "usage"})
"""Columns that divide the data, if their values are splits."""

SURE_SPLIT_NAMES = frozenset({"split", "partition", "subset"})
"""Those of them whose values have to be splits."""

FLAG_SPLITS = {
    **dict.fromkeys(
        ("istrain", "istraining", "istrainingimage", "intrain", "trainflag"), ("train", "test")
    ),
    **dict.fromkeys(("isvalid", "isval", "isvalidation"), ("validation", "train")),
    **dict.fromkeys(("istest", "istesting"), ("test", "train")),
}
"""Columns of 0 and 1 that divide the data: the split that 1 means, and that of 0."""

SHORT_SPLITS = {
    "tr": "train", "trn": "train", "va": "validation", "vl": "validation", "vld": "validation",
    "te": "test", "ts": "test", "tst": "test",
}  # fmt: skip
"""Values of a column of splits that are too short to mean one anywhere else."""


def plain_name(name: str) -> str:
    """A column's name without case, blanks, hyphens and underscores."""
    return re.sub(r"[\s_\-./]+", "", name.strip().casefold())


def is_attribute(name: str) -> bool:
    """Whether a column is called like an attribute or an identifier of images."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    words = [word for word in re.split(r"[\s_\-./\[\],#]+", spaced.casefold()) if word]
    if not words:
        return True
    return (
        words[-1] in ATTRIBUTE_WORDS
        or words[0] in ATTRIBUTE_WORDS
        or (
            words[-1] in ("id", "ids", "uid", "no", "nr", "number", "code", "type")
            and len(words) > 1
        )
    )
