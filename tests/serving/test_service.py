from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
import pytest

from hf_vft.errors import DataError
from hf_vft.records import ProductionLog
from hf_vft.run import RunDirectory
from hf_vft.serving.abstention import Abstention, abstention
from hf_vft.serving.batcher import Batcher, Lately, RateLimit
from hf_vft.serving.service import Service
from tests.data.zoo_files import CONVERTED, REJECTED, OddFile


@pytest.fixture(scope="module")
def service(fitted: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    made = Service(RunDirectory.open(fitted), log=tmp_path_factory.mktemp("served") / "log")
    yield made
    made.close()


def some(images: Path, n: int) -> list[Path]:
    return sorted(path for path in images.rglob("*") if path.suffix in (".jpg", ".png"))[:n]


def test_an_answer_is_in_the_log_when_it_is_given(service: Service, images: Path) -> None:
    answer = service.predict(some(images, 1)[0])
    assert service.log is not None
    row = service.log.read().set_index("request_id").loc[answer.request_id]
    assert row["predicted"] == answer.scores[0][0]
    assert row["confidence"] == pytest.approx(answer.scores[0][1], abs=1e-5)
    assert row["latency_ms"] > 0
    assert row["bytes"] == some(images, 1)[0].stat().st_size
    assert len(service.log.read_embeddings().request_ids) >= 1


def test_requests_at_the_same_time_get_their_own_answers(service: Service, images: Path) -> None:
    files = some(images, 12)
    alone = {file: service.predict(file).scores for file in files}
    together: dict[Path, object] = {}

    def ask(file: Path) -> None:
        together[file] = service.predict(file).scores

    threads = [threading.Thread(target=ask, args=(file,)) for file in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for file in files:
        assert [n for n, _ in together[file]] == [n for n, _ in alone[file]]  # type: ignore[attr-defined]


@pytest.mark.parametrize("odd_file", CONVERTED + REJECTED, ids=lambda p: p.kind)
def test_the_zoo_is_answered_or_refused_in_words(
    service: Service, odd_file: OddFile, tmp_path: Path
) -> None:
    path = tmp_path / odd_file.name
    odd_file.make(path)
    if odd_file.reason is None:
        assert service.predict(path).scores
    else:
        with pytest.raises(DataError) as caught:
            service.predict(path)
        assert "\n" not in str(caught.value)


def test_feedback_becomes_a_delayed_label(service: Service, images: Path) -> None:
    answer = service.predict(some(images, 1)[0])
    service.feedback(answer.request_id, service.labels[-1])
    assert service.log is not None
    labels = service.log.read_labels().set_index("request_id")
    assert labels.loc[answer.request_id, "label"] == service.labels[-1]
    never = "0" * 32
    for request_id, label in (
        ("../../etc", service.labels[0]),
        (answer.request_id, "<script>"),
        (never, service.labels[0]),
    ):
        with pytest.raises(DataError):
            service.feedback(request_id, label)


def test_feedback_reaches_answers_of_a_server_before_this_one(
    service: Service, fitted: Path, images: Path
) -> None:
    assert service.log is not None
    answer = service.predict(some(images, 1)[0])
    later = Service(RunDirectory.open(fitted), log=service.log.folder)
    later.feedback(answer.request_id, later.labels[0])
    later.close()
    labels = service.log.read_labels().set_index("request_id")
    assert labels.loc[answer.request_id, "label"] == later.labels[0]


def test_a_log_that_fails_does_not_break_an_answer(
    fitted: Path, images: Path, tmp_path: Path
) -> None:
    (tmp_path / "log").write_text("a file where the folder should be")
    service = Service(RunDirectory.open(fitted), log=tmp_path / "log")
    assert service.predict(some(images, 1)[0]).scores
    assert service.unlogged == 1


def test_images_are_kept_only_where_that_was_asked_for(
    service: Service, fitted: Path, images: Path, tmp_path: Path
) -> None:
    assert service.log is not None
    answer = service.predict(some(images, 1)[0])
    assert service.log.image_file(answer.request_id) is None
    strange = tmp_path / "photo.<b>"
    strange.write_bytes(some(images, 1)[0].read_bytes())
    keeps = Service(RunDirectory.open(fitted), log=tmp_path / "log", keep_images=True)
    assert keeps.log is not None
    kept = keeps.log.image_file(keeps.predict(strange).request_id)
    assert kept is not None
    assert kept.read_bytes() == strange.read_bytes()
    assert kept.suffix == ".jpeg"
    keeps.close()


def test_embeddings_are_logged_of_the_share_that_was_asked_for(
    service: Service, fitted: Path, images: Path, tmp_path: Path
) -> None:
    assert service.log is not None
    logged = service.predict(some(images, 1)[0]).request_id
    assert logged in service.log.read_embeddings().request_ids
    none = Service(RunDirectory.open(fitted), log=tmp_path / "log", embeddings=0.0)
    none.predict(some(images, 1)[0])
    assert none.log is not None
    assert not len(none.log.read_embeddings().request_ids)
    assert len(none.log.read()) == 1
    none.close()


def test_the_heat_map_has_the_images_shape_and_unknown_labels_are_refused(
    service: Service, images: Path
) -> None:
    shown = service.explain(some(images, 1)[0], service.labels[0])
    assert shown.width == shown.height
    with pytest.raises(DataError, match="no label"):
        service.explain(some(images, 1)[0], "unknown")


def test_the_threshold_is_the_lowest_at_which_validation_is_right_often_enough(
    tmp_path: Path,
) -> None:
    confidence = [i / 100 for i in range(100)]
    frame = pd.DataFrame(
        {
            "split": "validation",
            "label": "a",
            "predicted": ["a" if c >= 0.4 else "b" for c in confidence],
            "confidence": confidence,
        }
    )
    run = RunDirectory(tmp_path)
    run.predictions_file.parent.mkdir(parents=True)
    frame.to_parquet(run.predictions_file)
    found = abstention(run, target=0.95)
    answered = frame[frame["confidence"] >= found.threshold]
    assert (answered["label"] == answered["predicted"]).mean() >= 0.95
    lower = frame[frame["confidence"] >= found.threshold - 0.015]
    assert (lower["label"] == lower["predicted"]).mean() < 0.95
    assert found.coverage == pytest.approx(len(answered) / 100)
    assert "40 %" not in Abstention(0.5).reason(0.3)


def test_what_waits_becomes_one_batch_and_an_error_reaches_whoever_asked() -> None:
    sizes: list[int] = []

    def work(items: Sequence[int]) -> list[int]:
        sizes.append(len(items))
        time.sleep(0.05)
        if -1 in items:
            raise ValueError("bad batch")
        return [2 * item for item in items]

    batcher: Batcher[int, int] = Batcher(work, size=8)
    waiting = [batcher.submit(i) for i in range(20)]
    assert [one.result(5) for one in waiting] == [2 * i for i in range(20)]
    assert max(sizes) == 8
    with pytest.raises(ValueError, match="bad batch"):
        batcher.submit(-1).result(5)
    assert batcher.submit(3).result(5) == 6


def test_only_so_much_waits_for_the_model() -> None:
    busy, given = threading.Event(), []

    def work(items: Sequence[int]) -> Sequence[int]:
        busy.wait(10)
        return items

    batcher: Batcher[int, int] = Batcher(work, size=2)

    def submit() -> None:
        given.extend(batcher.submit(i) for i in range(20))

    hasty = threading.Thread(target=submit)
    hasty.start()
    hasty.join(0.3)
    assert hasty.is_alive()
    busy.set()
    hasty.join(10)
    assert [one.result(5) for one in given] == list(range(20))


def test_open_pages_share_what_takes_work() -> None:
    asked: list[int] = []

    def work() -> int:
        asked.append(1)
        return len(asked)

    patient, never = Lately(work, 60), Lately(work, -1)
    assert [patient(), patient()] == [1, 1]
    assert [never(), never()] == [2, 3]


def test_a_caller_is_held_to_the_limit_and_others_are_not() -> None:
    limit = RateLimit(3)
    assert [limit.allows("a") for _ in range(4)] == [True, True, True, False]
    assert limit.allows("b", cost=3)
    assert not limit.allows("b")
    assert all(RateLimit(0).allows("a") for _ in range(100))


def test_what_is_refused_as_the_server_stops_is_not_logged_as_answered(
    fitted: Path, images: Path, tmp_path: Path
) -> None:
    service = Service(RunDirectory.open(fitted), log=tmp_path / "log")
    [image] = some(images, 1)
    service.predict(image)
    service.refuse_waiting()
    with pytest.raises(DataError):
        service.predict(image)
    assert all(isinstance(one, DataError) for one in service.predict_many([image, image]))
    service.close()
    assert len(ProductionLog(tmp_path / "log").read()) == 1
