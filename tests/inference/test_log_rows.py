from __future__ import annotations

import shutil
import threading
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter
from scipy.special import softmax

from hf_vft.answers import Boxes, SeveralLabels
from hf_vft.answers.one_label import one_label_columns
from hf_vft.data.image_properties import image_properties
from hf_vft.inference.forward import pooled
from hf_vft.inference.log_rows import (
    EMBEDDING_SIZE,
    ImageInfo,
    Recorder,
    is_sampled,
    reduce_embeddings,
)
from hf_vft.inference.predictor import Predictor
from hf_vft.records import FULL_PROBABILITIES, TOP_PROBABILITIES, ProductionLog
from hf_vft.run import RunDirectory
from hf_vft.tasks import DetectedObject, Prediction
from tests.made_images import encoded, made_image


@pytest.fixture(scope="module")
def predictor(fitted: Path) -> Predictor:
    return Predictor(RunDirectory.open(fitted))


def images(count: int) -> list[Image.Image]:
    return [made_image(i) for i in range(count)]


def shown(count: int, **known: object) -> list[ImageInfo]:
    return [
        ImageInfo.of(image, encoded(image), file=f"{i}.png", **known)
        for i, image in enumerate(images(count))
    ]


def test_an_image_and_its_answer_become_a_row_of_the_log(
    predictor: Predictor, tmp_path: Path
) -> None:
    log = ProductionLog(tmp_path / "log")
    moment = datetime(2026, 4, 1, tzinfo=UTC)
    scored = shown(3, slices={"camera": "top"}, latency_ms=12.5, ts_utc=moment)
    outputs = predictor.outputs(images(3))
    with log.writer(slices=["camera"]) as writer:
        writer.append(Recorder(predictor).rows(scored, outputs))
    frame = log.read().set_index("file").sort_index()
    probs = predictor.probabilities(images(3))
    np.testing.assert_allclose(np.stack(list(frame["probabilities"])), probs, atol=1e-6)
    assert list(frame["predicted"]) == [predictor.labels[i] for i in probs.argmax(1)]
    np.testing.assert_allclose(frame["confidence"], probs.max(1), atol=1e-6)
    ranked = np.sort(probs, axis=1)
    np.testing.assert_allclose(frame["margin"], ranked[:, -1] - ranked[:, -2], atol=1e-6)
    np.testing.assert_allclose(frame["entropy"], -(probs * np.log(probs)).sum(1), atol=1e-5)
    logits = torch.from_numpy(outputs.logits)
    np.testing.assert_allclose(frame["energy"], -torch.logsumexp(logits, 1), atol=1e-5)
    row = frame.iloc[0]
    assert (row["width"], row["height"], row["format"]) == (48, 40, "PNG")
    assert row["bytes"] == len(encoded(made_image(0)))
    assert (row["camera"], row["latency_ms"], row["ts_utc"]) == ("top", 12.5, moment)
    assert row["aspect"] == np.float32(48 / 40)
    assert len(row["phash"]) == 16
    assert len(log.read_embeddings().values) == 3


def test_embeddings_are_what_the_head_saw(predictor: Predictor) -> None:
    """The head, applied to them, gives the logits again."""
    outputs = predictor.outputs([made_image(i) for i in range(4)])
    assert outputs.embeddings is not None
    with torch.no_grad():
        again = predictor.model.classifier(torch.from_numpy(outputs.embeddings))
    np.testing.assert_allclose(again.numpy(), outputs.logits, atol=1e-5)


def test_threads_do_not_get_each_others_embeddings(predictor: Predictor) -> None:
    alone = [predictor.outputs([made_image(i)]).embeddings for i in range(4)]
    found: dict[int, list[np.ndarray | None]] = {i: [] for i in range(4)}

    def ask(i: int) -> None:
        found[i] += [predictor.outputs([made_image(i)]).embeddings for _ in range(10)]

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, seen in found.items():
        assert len(seen) == 10
        for embedding in seen:
            np.testing.assert_allclose(embedding, alone[i], atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 6), (2, 5, 6), (2, 6, 1, 1), (2, 6, 4, 3)])
def test_whatever_a_head_takes_becomes_vectors(shape: tuple[int, ...]) -> None:
    assert pooled(torch.ones(shape)).shape == (2, 6)


def test_of_many_classes_the_top_are_kept_by_name_and_the_rest_as_one_number() -> None:
    labels = [f"class {i}" for i in range(FULL_PROBABILITIES + 1)]
    logits = np.random.default_rng(0).normal(size=(5, len(labels)))
    for row, scores in zip(
        one_label_columns(softmax(logits / 0.5, axis=1), logits, labels), logits, strict=True
    ):
        assert len(row["probabilities"]) == len(row["top_labels"]) == TOP_PROBABILITIES
        assert row["top_labels"][0] == row["predicted"] == labels[scores.argmax()]
        assert row["probabilities"][0] == row["confidence"]
        assert sum(row["probabilities"]) + row["rest"] == pytest.approx(1.0)


def test_long_embeddings_are_projected_and_keep_their_distances() -> None:
    rng = np.random.default_rng(0)
    long = rng.normal(size=(60, 2048)).astype(np.float32)
    short = reduce_embeddings(long)
    assert short.shape == (60, EMBEDDING_SIZE)
    before = np.linalg.norm(long[:30] - long[30:], axis=1)
    after = np.linalg.norm(short[:30] - short[30:], axis=1)
    assert np.abs(after / before - 1).max() < 0.12
    # The projection itself must never change, or old logs could not be compared any more.
    unit = np.zeros((1, 2048), np.float32)
    unit[0, 0] = 1.0
    np.testing.assert_allclose(
        reduce_embeddings(unit)[0, :3], [-0.011463, 0.006871, 0.010632], atol=1e-6
    )
    assert reduce_embeddings(long[:, :384]).shape == (60, 384)


def test_a_share_of_the_embeddings_is_kept_the_same_ones_each_time(predictor: Predictor) -> None:
    kept = [is_sampled(f"request-{i}", 0.3) for i in range(5000)]
    assert 0.27 < np.mean(kept) < 0.33
    rows = Recorder(predictor, sample=0.5).rows(shown(6), predictor.outputs(images(6)))
    for row in rows:
        assert ("embedding" in row) == is_sampled(row["request_id"], 0.5)


def test_other_weights_or_settings_have_another_hash(predictor: Predictor, tmp_path: Path) -> None:
    copy = RunDirectory(shutil.copytree(predictor.run.path, tmp_path / "run"))
    same = Recorder(Predictor(copy)).identity
    assert same == Recorder(predictor).identity
    settings = copy.model / "preprocessor_config.json"
    settings.write_text(settings.read_text().replace("0.5", "0.4"))
    other = Recorder(Predictor(copy))
    other.identity["model_hash"] = same["model_hash"]
    assert other.identity["preprocessing_hash"] != same["preprocessing_hash"]
    model = Predictor(copy).model
    with torch.no_grad():
        model.classifier.bias += 1
    model.save_pretrained(copy.model)
    assert Recorder(Predictor(copy)).identity["model_hash"] != same["model_hash"]


class TestImageProperties:
    def test_each_property_moves_with_what_it_is_named_after(self) -> None:
        image = made_image(0, (64, 48))
        plain = image_properties(image)
        dark = image_properties(image.point(lambda value: value // 2))
        blurred = image_properties(image.filter(ImageFilter.GaussianBlur(2)))
        grey = image_properties(image.convert("L").convert("RGB"))
        assert dark["brightness"] == pytest.approx(plain["brightness"] / 2, abs=0.01)
        assert dark["contrast"] == pytest.approx(plain["contrast"] / 2, abs=0.01)
        assert dark["sharpness"] == pytest.approx(plain["sharpness"], rel=0.1)
        assert blurred["sharpness"] < plain["sharpness"] / 2
        assert grey["saturation"] == 0 < plain["saturation"]
        assert blurred["image_entropy"] < plain["image_entropy"]

    def test_an_image_without_contrast_has_no_sharpness(self) -> None:
        flat = image_properties(Image.new("RGB", (30, 20), (10, 20, 30)))
        assert flat["sharpness"] is None
        assert flat["contrast"] == flat["image_entropy"] == 0.0
        assert flat["aspect"] == 1.5


def test_several_labels_and_boxes_have_columns_of_their_own(tmp_path: Path) -> None:
    found = DetectedObject("cat", 0.9, (10.0, 20.0, 30.0, 60.0), True)
    unsure = DetectedObject("dog", 0.2, (0.0, 0.0, 5.0, 5.0), False)
    answer = Prediction(("cat",), np.array([0.9, 0.2]), (found, unsure))
    boxes = Boxes().columns([answer], None, ["cat", "dog"], [(100, 80)])[0]
    assert boxes["count"] == 1
    assert boxes["predicted"] == "cat"
    assert boxes["boxes"] == [
        {"x": 10, "y": 20, "width": 20, "height": 40, "score": 0.9, "label": "cat"}
    ]
    np.testing.assert_allclose(boxes["area_quantiles"], [0.1] * 3)
    answer = Prediction(("a", "b"), np.array([0.8, 0.7, 0.1]))
    labels = SeveralLabels().columns([answer], None, ["a", "b", "c"], [(9, 9)])[0]
    assert labels["predicted"] == "a|b"
    assert "boxes" not in labels
    identity = {"model_hash": "m1", "preprocessing_hash": "p1", "task": "object-detection"}
    rows = [
        {"request_id": f"r{i}", "ts_utc": datetime.now(UTC), **identity, **row}
        for i, row in enumerate((boxes, labels))
    ]
    log = ProductionLog(tmp_path)
    with log.writer() as writer:
        writer.append(rows)
    written = log.read().set_index("request_id")
    assert written.loc["r0", "boxes"][0]["label"] == "cat"
    assert written["count"].tolist() == [1, 2]
