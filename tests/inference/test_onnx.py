from __future__ import annotations

import copy
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from hf_vft.cli.main import main
from hf_vft.errors import MissingDependencyError, ModelError, RunError
from hf_vft.inference import onnx
from hf_vft.inference.onnx import TOLERANCE, OnnxFacts, export_onnx
from hf_vft.inference.predictor import Predictor
from hf_vft.models.fresh_weights import draw_weights
from hf_vft.recipe.schema import Recipe
from hf_vft.run import RunDirectory
from hf_vft.tasks import get_task
from tests.made_images import made_image
from tests.models.tiny import ALL
from tests.models.tiny import images as random_images
from tests.models.tiny_detectors import DETECTION_SIZE, DETECTORS

pytest.importorskip("onnxruntime", reason="needs hf-vft[onnx]")
pytest.importorskip("onnxscript", reason="needs hf-vft[onnx]")


@pytest.fixture(scope="module")
def exported(fitted: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    run = RunDirectory.open(shutil.copytree(fitted, tmp_path_factory.mktemp("onnx") / "run"))
    export_onnx(run)
    return run


def images(count: int) -> list[Image.Image]:
    return [made_image(i) for i in range(count)]


def test_the_export_answers_as_the_model_does_for_any_number_of_images(
    exported: RunDirectory, fitted: Path
) -> None:
    with_onnx, with_torch = Predictor(exported), Predictor(RunDirectory.open(fitted))
    with_onnx.answering.forward = None  # type: ignore[method-assign, assignment]
    for count in (1, 3, 17):
        ours, theirs = with_onnx.outputs(images(count)), with_torch.outputs(images(count))
        np.testing.assert_allclose(ours.logits, theirs.logits, atol=1e-4)
        assert ours.embeddings is not None
        assert theirs.embeddings is not None
        np.testing.assert_allclose(ours.embeddings, theirs.embeddings, atol=1e-4)


def test_what_is_known_of_it_is_written_beside_it(exported: RunDirectory) -> None:
    facts = OnnxFacts.model_validate(exported.read_json(exported.onnx_facts_file))
    assert facts.model_hash == exported.model_hash()
    assert facts.difference <= TOLERANCE
    assert facts.bytes > exported.onnx_file.stat().st_size / 2
    assert min(facts.latency_ms, facts.torch_latency_ms) > 0


def test_an_export_that_answers_differently_is_refused_and_the_one_before_stays(
    exported: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = exported.onnx_file.read_bytes()
    translate = onnx.translate

    def wrong(answering: onnx.Answering, pixels: torch.Tensor, path: Path, **options: bool) -> None:
        with torch.no_grad():
            answering.model.classifier.bias += 0.1
        translate(answering, pixels, path, **options)
        with torch.no_grad():
            answering.model.classifier.bias -= 0.1

    monkeypatch.setattr(onnx, "translate", wrong)
    with pytest.raises(ModelError, match="answers differently"):
        export_onnx(exported)
    assert exported.onnx_file.read_bytes() == before


class Stub(torch.nn.Module):
    """Answers as a function of the pixels says."""

    def __init__(self, answer: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.model = torch.nn.Identity()
        self.answer = answer

    def forward(self, pixel_values: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"logits": self.answer(pixel_values.flatten(1)[:, :3])}


def test_a_detector_with_queries_is_exported_for_any_number_of_images(tmp_path: Path) -> None:
    model = DETECTORS["rt_detr_v2"]()
    draw_weights(model)  # so that no two queries have the same score
    model.set_attn_implementation("eager")
    answering = onnx.Answering(model, get_task("object-detection")).eval()
    pixels = random_images(5, DETECTION_SIZE)
    onnx.translate(answering, pixels[:2], tmp_path / "model.onnx")
    session = onnx.open_session(tmp_path / "model.onnx")
    for size in onnx.BATCHES:
        assert onnx.compare(answering, session, pixels[:size])[0] < 1e-5
    assert not any("len" in vars(sys.modules[type(m).__module__]) for m in model.modules())


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (torch.special.bessel_j0, r"ONNX has no operation for \w+\.\w*bessel_j0"),
        (lambda values: values * int(values.shape[0]), r"bound to 2 images|batch"),
    ],
)
def test_what_cannot_be_translated_is_named_in_a_line(
    answer: Callable[[torch.Tensor], torch.Tensor], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=reason) as caught:
        onnx.translate(Stub(answer), random_images(2, 8), tmp_path / "model.onnx")  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_what_onnx_runtime_says_is_a_line(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.translate(Stub(torch.relu), random_images(2, 8), path)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="ONNX Runtime cannot run the graph") as caught:
        onnx.open_session(path)(random_images(1, 4))
    assert "\n" not in str(caught.value)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ModelError, match="ONNX Runtime cannot run the graph"):
        onnx.open_session(path)


def test_an_export_clears_up_after_a_killed_one_and_is_alone(tmp_path: Path, monkeypatch) -> None:
    run = RunDirectory(tmp_path)
    run.recipe_file.write_text(Recipe(task="image-classification").to_yaml())
    killed, foreign = tmp_path / f".export.{'a' * 32}.tmp", tmp_path / ".export.notes.tmp"
    for folder in (killed, foreign):
        folder.mkdir()

    def second(*_: object) -> None:
        assert not killed.exists()
        with pytest.raises(RunError, match="another export is being made"):
            export_onnx(run)
        raise ModelError("enough")

    task = SimpleNamespace(memorises=False, plain=lambda _: lambda _: torch.zeros(3, 8, 8))
    monkeypatch.setattr(onnx, "get_task", lambda _: task)
    monkeypatch.setattr(onnx, "load_answering", lambda *_, **__: (None, None))
    monkeypatch.setattr(onnx, "_session_of", second)
    with pytest.raises(ModelError, match="enough"):
        export_onnx(run)
    assert [path.name for path in tmp_path.glob(".export.*.tmp")] == [foreign.name]


def test_queries_are_compared_as_a_set() -> None:
    rng = np.random.default_rng(0)
    scores, boxes = rng.random((2, 6, 3)), rng.random((2, 6, 4))
    other = {"scores": scores[:, ::-1], "boxes": boxes[:, ::-1]}
    ours, theirs = onnx._as_sets({"scores": scores, "boxes": boxes}, other)
    np.testing.assert_array_equal(ours["queries"], theirs["queries"])
    wrong = {"scores": scores[:, ::-1], "boxes": boxes}
    ours, theirs = onnx._as_sets({"scores": scores, "boxes": boxes}, wrong)
    assert np.abs(ours["queries"] - theirs["queries"]).max() > 0.1


def test_an_export_of_other_weights_is_not_served(exported: RunDirectory, tmp_path: Path) -> None:
    run = RunDirectory(shutil.copytree(exported.path, tmp_path / "run"))
    weights = run.model / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ModelError, match="other weights"):
        Predictor(run)


def test_the_package_that_is_missing_is_named(
    exported: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hf_vft.utils.imports.is_available", lambda name: name != "onnxruntime")
    with pytest.raises(MissingDependencyError, match=r"hf-vft\[onnx\]"):
        export_onnx(exported)


def test_without_onnx_runtime_pytorch_answers_and_says_so(
    exported: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Predictor(exported)
    monkeypatch.setattr("hf_vft.inference.predictor.is_available", lambda name: False)
    predictor = Predictor(exported)
    assert "ONNX Runtime is not installed (pip install 'hf-vft[onnx]')" in predictor.note
    assert before.note == ""
    np.testing.assert_allclose(
        predictor.probabilities(images(2)), before.probabilities(images(2)), atol=1e-3
    )


def test_the_command_tells_how_well_it_agrees(
    exported: RunDirectory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = OnnxFacts.model_validate(exported.read_json(exported.onnx_facts_file))
    monkeypatch.setattr(onnx, "export_onnx", lambda run: facts)
    with pytest.raises(SystemExit) as ended:
        main(["export", str(exported.path), "--json"])
    assert not ended.value.code
    assert json.loads(capsys.readouterr().out)["difference"] == facts.difference


def test_a_model_with_embeddings_is_compared_with_what_it_loses_by_rounding() -> None:
    """Copied for double precision, it catches its own embeddings."""
    answering = onnx.Answering(ALL["resnet"]().eval(), get_task("image-classification")).eval()
    pixels = random_images(2)
    with torch.no_grad():
        expected = answering(pixels)
        found = copy.deepcopy(answering).double()(pixels.double())
        torch.testing.assert_close(answering(pixels), expected)
    assert list(found) == ["logits", "embeddings"]
    for name, values in found.items():
        assert values.dtype == torch.float64
        torch.testing.assert_close(values.float(), expected[name])


class TestRoundingErrors:
    """A model that multiplies rounding errors is compared with what torch itself loses by them."""

    def answering(self) -> Stub:
        def answer(values: torch.Tensor) -> torch.Tensor:
            return ((values * (1 / 3) + 1e5) - 1e5) * 100

        return Stub(answer)

    def test_they_are_accepted(self) -> None:
        model, pixels = self.answering(), torch.rand(2, 3, 8, 8)
        (name, exact), *_ = model.double()(pixels.double()).items()
        difference, allowed = onnx.compare(model, lambda _: {name: exact.numpy()}, pixels)  # type: ignore[arg-type]
        assert onnx.TOLERANCE < difference <= allowed

    def test_another_answer_is_not(self) -> None:
        model, pixels = self.answering(), torch.rand(2, 3, 8, 8)
        (name, values), *_ = model(pixels).items()
        difference, allowed = onnx.compare(model, lambda _: {name: values.numpy() + 5}, pixels)  # type: ignore[arg-type]
        assert difference > allowed
