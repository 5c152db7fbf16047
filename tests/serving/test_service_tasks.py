"""Several labels and boxes, served as one label is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hf_vft.errors import DataError
from hf_vft.explain.draw_boxes import draw_boxes
from hf_vft.serving import page
from hf_vft.serving.answer import boxes_of, over
from hf_vft.serving.service import Service
from hf_vft.tasks import DetectedObject
from tests.made_images import made_image
from tests.serving import made


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "photo.png"
    made_image(0, (64, 48)).save(path)
    return path


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("several")
    service = Service(made.several(folder / "run"), log=folder / "log")
    yield service
    service.close()


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("detector")
    service = Service(made.detector(folder / "run"), log=folder / "log")
    yield service
    service.close()


def test_several_labels_are_answered_at_their_thresholds_and_logged(
    several: Service, photo: Path
) -> None:
    answer = several.predict(photo, {"camera": "top"})
    assert set(answer.labels) == {name for name, score in answer.scores if score >= 0.5}
    assert set(answer.as_dict()) == {"request_id", "labels", "scores"}
    assert several.log is not None
    row = several.log.read().set_index("request_id").loc[answer.request_id]
    assert row["predicted"] == "|".join(answer.labels)
    assert (row["count"], row["camera"]) == (len(answer.labels), "top")


def test_boxes_are_answered_drawn_and_logged(detector: Service, photo: Path) -> None:
    answer = detector.predict(photo)
    assert answer.objects is not None
    assert len(answer.labels) == sum(found.answered for found in answer.objects) > 0
    told = answer.as_dict()["objects"]
    assert {"label", "score", "box", "answered"} == set(told[0])
    assert all(0 <= one["box"]["xmin"] <= one["box"]["xmax"] <= 64 for one in told)
    assert detector.log is not None
    row = detector.log.read().set_index("request_id").loc[answer.request_id]
    assert len(row["boxes"]) == row["count"] == len(answer.labels)
    drawn = detector.drawn(photo, over(boxes_of(answer.as_dict()), None))
    assert np.asarray(drawn).tolist() != np.asarray(detector.drawn(photo, [])).tolist()
    assert detector.explain(photo).size == drawn.size


def test_a_threshold_leaves_the_boxes_over_it() -> None:
    boxes = [DetectedObject("pit", score, (0, 0, 9, 9), score >= 0.5) for score in (0.9, 0.4)]
    assert [found.score for found in over(boxes, None)] == [0.9]
    assert [found.score for found in over(boxes, 0.3)] == [0.9, 0.4]
    answer = {"objects": [vars(b) | {"box": dict.fromkeys(("xmin", "ymin", "xmax", "ymax"), 1.0)}
                          for b in boxes]}  # fmt: skip
    assert "1 pit" in page.answer_card(answer)
    assert "2 pit" in page.answer_card(answer, 0.3)
    assert "Nothing found" in page.answer_card(answer, 0.95)


def test_a_box_is_drawn_where_it_is_in_the_colour_of_its_class() -> None:
    image = Image.new("RGB", (300, 200), "white")
    box = DetectedObject("scratch", 0.8, (60.0, 90.0, 180.0, 150.0), True)
    shown = draw_boxes(image, [box], ["pit", "scratch"], side=300)
    changed = np.argwhere((np.asarray(shown) != 255).any(-1))
    assert changed[:, 1].min() == pytest.approx(60, abs=2)
    assert changed[:, 0].max() == pytest.approx(150, abs=2)
    assert shown.getpixel((120, 150)) == (213, 94, 0)


def test_where_boxes_crowd_the_surest_can_be_read() -> None:
    image = Image.new("RGB", (300, 200), "white")
    sure = DetectedObject("scratch", 0.9, (60.0, 90.0, 180.0, 150.0), True)
    beside = DetectedObject("pit", 0.6, (62.0, 92.0, 182.0, 152.0), True)
    names = ["pit", "scratch"]
    alone, crowded = (
        draw_boxes(image, found, names, side=300) for found in ([sure], [sure, beside])
    )
    tag = (61, 66, 130, 88)  # above the boxes
    assert alone.crop(tag).tobytes() == crowded.crop(tag).tobytes()
    assert crowded.getpixel((120, 152)) == (0, 114, 178)


def test_feedback_names_all_that_is_there_or_nothing(several: Service, photo: Path) -> None:
    assert several.log is not None
    for given, kept in ((["pit", "scratch"], "pit|scratch"), ([], ""), ("scratch", "scratch")):
        answer = several.predict(photo)
        several.feedback(answer.request_id, given)
        labels = several.log.read_labels().set_index("request_id")["label"]
        assert labels[answer.request_id] == kept
    with pytest.raises(DataError, match="no label"):
        several.feedback(answer.request_id, ["pit", "unknown"])


@pytest.mark.parametrize("slices", [{"color": "red"}, ["camera"], {"camera'; DROP": "x"}])
def test_columns_that_the_run_does_not_have_are_refused(
    several: Service, photo: Path, slices: object
) -> None:
    with pytest.raises(DataError, match="slices"):
        several.predict(photo, slices)  # type: ignore[arg-type]


def test_labels_are_text_and_never_html(several: Service, photo: Path) -> None:
    card = page.answer_card(several.predict(photo).as_dict())
    assert "<b>stain</b>" not in card
    assert "&lt;b&gt;stain&lt;/b&gt;" in card
