"""The model of a run for ONNX Runtime, which answers faster on a CPU.

The graph holds what serving needs and nothing else: pixels in, what the task makes answers of and
what the head sees out. It is only kept if it answers as the model does.
"""

from __future__ import annotations

import copy
import logging
import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout
from PIL import Image
from pydantic import Field
from scipy.optimize import linear_sum_assignment

from hf_vft.data.demo.images import DemoConfig, generate
from hf_vft.errors import ModelError, RunError
from hf_vft.evaluation.latency import median_ms
from hf_vft.inference.forward import Answering, load_answering
from hf_vft.inference.symbolic_len import symbolic_len
from hf_vft.run import RunDirectory, remove_leftovers_of, write_folder, write_json
from hf_vft.tasks import get_task
from hf_vft.utils.frozen import Frozen
from hf_vft.utils.imports import require_package

Arrays = dict[str, np.ndarray]
INPUT = "pixel_values"

TOLERANCE = 1e-3
"""Difference to torch that is always accepted; see `compare`."""

BATCHES = (1, 2, 5)
"""Sizes that are compared; the graph is traced with two images."""

LOCK = ".export.lock"

ROUNDING = 4
"""Multiple of torch's own rounding errors that is accepted of the graph. Two ways of computing the
same in float32 differ by a small factor in what they lose: of an EfficientNetV2 whose answers torch
rounds by 0.2 %, ONNX Runtime loses between one and three times as much, as it is told to optimize.
"""

_ONE_FILE = 1 << 30
"""Bytes of weights from which on they lie beside the graph: protobuf ends at 2 GB."""


class OnnxFacts(Frozen):
    """Metadata of an export."""

    model_hash: str = Field(description="Of the weights it was made from.")
    difference: float = Field(description="Largest to torch; see `TOLERANCE`.")
    bytes: int
    latency_ms: float = Field(description="Of a single image on this CPU.")
    torch_latency_ms: float = Field(description="The same by torch in float32.")
    threads: int = Field(description="That both had.")
    versions: dict[str, str]


def export_onnx(run: RunDirectory) -> OnnxFacts:
    """Write ``export/model.onnx`` of a finished run, and what is known of it beside it.

    Args:
        run: Finished.

    Raises:
        MissingDependencyError: If the packages of the extra ``onnx`` are not installed.
        ModelError: If the model cannot be translated, or does not answer the same then.
        RunError: If another export of the run is being made.
    """
    for package in ("onnx", "onnxscript", "onnxruntime"):
        require_package(package, "onnx")
    task = get_task(run.recipe().task)
    if task.memorises:
        raise RunError(f"{run.path}: {task.name} is not exported so far; `hf-vft serve` answers.")
    # Fused attention looks at strides that a batch of unknown size does not have.
    answering, processor = load_answering(run.model, task, attn_implementation="eager")
    transform = task.plain(processor)
    pixels = torch.stack([transform(image) for image in _images(max(BATCHES))])
    exported: list[OnnxFacts] = []

    def fill(folder: Path) -> None:
        target = folder / run.onnx_file.name
        session = _session_of(answering, pixels[:2], target)
        facts = _compared(run, answering, session, pixels, target)
        write_json(folder / run.onnx_facts_file.name, facts.model_dump(mode="json"))
        exported.append(facts)

    with _alone(run):
        write_folder(run.export, fill)
    return exported[0]


@contextmanager
def _alone(run: RunDirectory) -> Iterator[None]:
    """One export of a run at a time; it begins by clearing up what a killed one left."""
    try:
        with FileLock(run.path / LOCK, timeout=0):
            remove_leftovers_of(run.export)
            yield
    except Timeout:
        raise RunError(f"{run.path}: another export is being made; wait for it.") from None


def open_export(run: RunDirectory) -> Callable[[torch.Tensor], Arrays]:
    """The export of a run: from pixels ``[N, 3, H, W]`` to arrays by name.

    Raises:
        MissingDependencyError: If ONNX Runtime is not installed.
        ModelError: If it was made from other weights than the run's.
    """
    facts = run.read_as(OnnxFacts, run.onnx_facts_file)
    if facts.model_hash != run.model_hash():
        raise ModelError(
            f"{run.onnx_file}: was made from other weights than those of {run.model}; run "
            f"`hf-vft export {run.path}` again, or delete {run.export}."
        )
    return open_session(run.onnx_file)


def open_session(path: Path) -> Callable[[torch.Tensor], Arrays]:
    """A graph, ready to answer on the CPU: from pixels ``[N, 3, H, W]`` to arrays by name.

    Threads may share it.

    Raises:
        MissingDependencyError: If ONNX Runtime is not installed.
        ModelError: If it refuses the graph, now or with the images that it is given.
    """
    runtime: Any = require_package("onnxruntime", "onnx")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    with _one_line(path):
        session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(pixels: torch.Tensor) -> Arrays:
        with _one_line(path):
            values = session.run(names, {INPUT: pixels.numpy()})
        return dict(zip(names, values, strict=True))

    return run


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    """What ONNX Runtime says of a graph, as an error of ours."""
    try:
        yield
    except Exception as error:
        if not type(error).__module__.startswith("onnxruntime"):
            raise
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{path.name}: ONNX Runtime cannot run the graph ({reason}).") from None


def _session_of(
    answering: Answering, pixels: torch.Tensor, path: Path
) -> Callable[[torch.Tensor], Arrays]:
    """Translate a model, without the optimizer of the exporter where that breaks the graph."""
    translate(answering, pixels, path)
    try:
        return open_session(path)
    except ModelError:
        translate(answering, pixels, path, optimize=False)
        return open_session(path)


def translate(
    answering: Answering, pixels: torch.Tensor, path: Path, *, optimize: bool = True
) -> None:
    """Write a model as a graph that takes any number of images.

    Args:
        answering: On the CPU, in eval mode, without fused attention.
        pixels: ``[2, 3, H, W]``, which the model is traced with.
        path: The file to write; weights beyond a gigabyte lie beside it.
        optimize: Whether the exporter simplifies the graph; ONNX Runtime does so again.

    Raises:
        ModelError: If an operation of the model has no translation, or is bound to the number
            of images.
    """
    with torch.inference_mode():
        names = list(answering(pixels))
    size = sum(p.numel() * p.element_size() for p in answering.parameters())
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with (
            warnings.catch_warnings(),
            redirect_stdout(StringIO()),
            symbolic_len(answering.model),
            _without_checks(),
        ):
            warnings.simplefilter("ignore")
            program: Any = torch.onnx.export(
                answering,
                (pixels,),
                dynamo=True,
                input_names=[INPUT],
                output_names=names,
                dynamic_shapes={INPUT: {0: torch.export.Dim("batch")}},
                verbose=False,
                optimize=optimize,
            )
            batch = program.model.graph.inputs[0].shape[0]
            if isinstance(batch, int):
                raise ModelError(
                    f"{type(answering.model).__name__} cannot be translated to ONNX: its graph is "
                    f"bound to {batch} images at a time; serve the run as it is."
                )
            program.save(path, external_data=size > _ONE_FILE)
    except torch.onnx.errors.OnnxExporterError as error:
        raise ModelError(
            f"{type(answering.model).__name__} cannot be translated to ONNX ({_reason(error)}); "
            "serve the run as it is."
        ) from None
    finally:
        log.setLevel(level)


@contextmanager
def _without_checks() -> Iterator[None]:
    """Leave out what transformers checks on the way: ONNX has no word for it."""
    name = "TRANSFORMERS_DISABLE_TORCH_CHECK"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _reason(error: BaseException) -> str:
    """The operation that has no translation, or else the first thing that went wrong."""
    if operation := re.search(r"op='([\w.:]+)'", str(error)):
        return f"ONNX has no operation for {operation[1]}"
    while error.__cause__ is not None:
        error = error.__cause__
    words = re.split("While executing|For more information", str(error))[0]
    return " ".join(words.split())[:200].rstrip(". !")


def _compared(
    run: RunDirectory,
    answering: Answering,
    session: Callable[[torch.Tensor], Arrays],
    pixels: torch.Tensor,
    path: Path,
) -> OnnxFacts:
    """Let both answer the same images.

    Raises:
        ModelError: If they do not agree.
    """
    difference = largest_difference(str(run.path), answering, session, pixels)
    cpu, single = torch.device("cpu"), pixels[:1]
    with torch.inference_mode():
        torch_ms = median_ms(lambda: answering(single), cpu)
    return OnnxFacts(
        model_hash=run.model_hash(),
        difference=difference,
        bytes=sum(file.stat().st_size for file in path.parent.iterdir()),
        latency_ms=median_ms(lambda: session(single), cpu),
        torch_latency_ms=torch_ms,
        threads=torch.get_num_threads(),
        versions={
            name: str(require_package(name, "onnx").__version__)
            for name in ("torch", "onnx", "onnxscript", "onnxruntime")
        },
    )


def largest_difference(
    name: str,
    answering: Answering,
    session: Callable[[torch.Tensor], Arrays],
    pixels: torch.Tensor,
) -> float:
    """How far a graph is from torch, for each number of images of `BATCHES`; see `compare`.

    Args:
        name: Of the model, for the message.
        answering: The model, in float32.
        session: The graph, from `open_session`.
        pixels: ``[N, 3, H, W]``, as many as the largest of `BATCHES`.

    Raises:
        ModelError: If that is more than is accepted.
    """
    compared = [compare(answering, session, pixels[:size]) for size in BATCHES]
    for difference, allowed in compared:
        if not difference <= allowed:
            raise ModelError(
                f"{name}: the ONNX model answers differently (by {difference:.2g}, and at most "
                f"{allowed:.2g} is accepted), so it was not kept; serve the run as it is."
            )
    return max(difference for difference, _ in compared)


def compare(
    answering: Answering, session: Callable[[torch.Tensor], Arrays], pixels: torch.Tensor
) -> tuple[float, float]:
    """Compare the answers of a graph with those of torch.

    Args:
        answering: The model, in float32.
        session: The graph, from `open_session`.
        pixels: ``[N, 3, H, W]``.

    Returns:
        The largest difference, in proportion to the largest value where that is above 1, and the
        difference that is accepted: `TOLERANCE`, or `ROUNDING` times what torch itself loses by
        rounding to float32, where a model multiplies rounding errors beyond that.
    """
    expected = _arrays(answering, pixels)
    difference = _difference(expected, session(pixels))
    if difference <= TOLERANCE:
        return difference, TOLERANCE
    try:
        exact = _arrays(copy.deepcopy(answering).double(), pixels.double())
    except (RuntimeError, TypeError):  # a constant stays in float32, or a part cannot be copied
        return difference, TOLERANCE
    return difference, max(TOLERANCE, ROUNDING * _difference(exact, expected))


def _arrays(answering: Answering, pixels: torch.Tensor) -> Arrays:
    with torch.inference_mode():
        return {name: values.numpy() for name, values in answering(pixels).items()}


def _difference(expected: Arrays, got: Arrays) -> float:
    if "boxes" in expected:
        expected, got = _as_sets(expected, got)
    return max(
        float(np.abs(got[name] - values).max()) / max(1.0, float(np.abs(values).max()))
        for name, values in expected.items()
    )


def _as_sets(expected: Arrays, got: Arrays) -> tuple[Arrays, Arrays]:
    """The queries of a detector, with those of ``got`` in the order that fits best.

    They are a set: RT-DETR orders them by scores that may be equal but for rounding.

    Args:
        expected: ``scores [N, Q, C]`` and ``boxes [N, Q, 4]``.
        got: The same of another model.
    """
    ours, theirs = (
        np.concatenate([outputs["scores"], outputs["boxes"]], axis=2) for outputs in (expected, got)
    )
    distances = np.abs(ours[:, :, None] - theirs[:, None]).max(-1)
    order = np.stack([linear_sum_assignment(image)[1] for image in distances])
    return {"queries": ours}, {"queries": np.take_along_axis(theirs, order[..., None], axis=1)}


def _images(count: int) -> list[Image.Image]:
    """Generated ones, and noise, in turns."""
    rng = np.random.default_rng(0)
    return [
        Image.fromarray(rng.integers(0, 256, (120, 160, 3), dtype=np.uint8))
        if number % 2
        else Image.fromarray(generate(number, DemoConfig(contrast=2.0)).image)
        for number in range(count)
    ]
