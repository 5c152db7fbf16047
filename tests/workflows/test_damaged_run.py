"""Every file that a run folder may hold, with what a stranger or a broken disk may put there.

Whatever it is, each command that reads the file works or ends in one line.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy

from hf_vft.cli.scores import print_scores
from hf_vft.errors import VftError
from hf_vft.hub.card import render_card
from hf_vft.hub.files import run_files
from hf_vft.hub.push import _read
from hf_vft.inference.onnx import open_export
from hf_vft.inference.predictor import Predictor
from hf_vft.monitoring.profile import Reference
from hf_vft.reporting.mistakes import read_predictions
from hf_vft.reporting.report import render_report
from hf_vft.reporting.run_files import read_choices
from hf_vft.run import RunDirectory, write_json
from hf_vft.serving import run_tables
from hf_vft.serving.abstention import abstention
from hf_vft.utils.public_files import public_files
from hf_vft.workflows.steps.save_run import read_splits
from tests.made_images import made_image

Use = Callable[[RunDirectory], Any]
MARKUP = "<script>alert(1)</script>"
DIGITS = "9" * 400


def predict(run: RunDirectory) -> Any:
    return Predictor(run).predictions([made_image(0)])


def report(run: RunDirectory) -> str:
    return render_report(run.path, mistakes=()).read_text(encoding="utf-8")


def serve(run: RunDirectory) -> Any:
    evaluated, _ = run_tables.verdict_of(run)
    (
        run_tables.scores(evaluated),
        run_tables.class_scores(evaluated),
        run_tables.slice_scores(evaluated),
    )
    run_tables.slice_values(evaluated), run_tables.card_text(run)
    run_tables.newest_verdict(run.path / "monitoring")


def card(run: RunDirectory) -> str:
    return render_card(run)


def push(run: RunDirectory) -> Any:
    files = run_files(run, with_images=True)
    return public_files({k: v for k, v in files.items() if k.endswith((".json", ".yaml"))})


JSON_READERS: dict[str, tuple[Use, ...]] = {
    "metrics.json": (predict, report, serve, card, print_scores, push),
    "run.json": (report, card, print_scores, push),
    "choices.json": (report, read_choices, push),
    "history.json": (report, push),
    "leaderboard.json": (report, card, print_scores, push),
    "audit.json": (report, card, push),
    "robustness.json": (report, card, push),
    "reference/profile.json": (Reference.load, push),
    "export/onnx.json": (open_export, card),
    "adapter/adapter_config.json": (push,),
    "model/config.json": (predict, push),
    "model/preprocessor_config.json": (predict, push),
}
BINARY_READERS: dict[str, tuple[Use, ...]] = {
    "recipe.yaml": (predict, card, push),
    "model/model.safetensors": (predict,),
    "model/README.md": (serve, lambda run: _read(run.card_file)),
    "monitoring/verdict.json": (serve,),
    "splits.parquet": (read_splits,),
    "reference/predictions.parquet": (abstention, read_predictions),
    "reference/records.parquet": (Reference.load,),
    "reference/embeddings.safetensors": (Reference.load,),
}


@pytest.fixture(scope="module")
def whole(fitted: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A run with every file that there may be."""
    path = tmp_path_factory.mktemp("damaged") / "run"
    shutil.copytree(fitted, path)
    run = RunDirectory.open(path)
    score = {"value": 0.5, "low": 0.4, "high": 0.6}
    row = {"name": "<b>", "kind": "trial", "model": "m", "score": score, "seconds": 1.5}
    board = {"metric": "accuracy", "chosen": "<b>", "rows": [row, row | {"name": "c"}]}
    write_json(run.leaderboard_file, board)
    facts = {"model_hash": "m1", "difference": 0.1, "bytes": 5, "latency_ms": 1.5, "threads": 1}
    write_json(run.onnx_facts_file, facts | {"torch_latency_ms": 2.5, "versions": {"torch": "2"}})
    write_json(run.adapter / "adapter_config.json", {"base_model_name_or_path": "m", "r": 8})
    verdict = {"action": "none", "headline": "h", "reasons": ["r"], "todo": ["t"], "rows": 5}
    write_json(run.path / "monitoring" / "verdict.json", verdict)
    if not run.audit_file.is_file():
        write_json(run.audit_file, {"findings": [{"severity": "info", "sentence": "s"}]})
    if not run.robustness_file.is_file():
        found = {"metric": "accuracy", "n": 5, "severities": ["weak"], "clean": score}
        write_json(run.robustness_file, found | {"disturbed": {"blur": [score]}})
    return run


def marked(tree: Any) -> Any:
    """The same with markup in every text, keys left as they are."""
    if isinstance(tree, dict):
        return {key: marked(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [marked(value) for value in tree]
    return MARKUP if isinstance(tree, str) else tree


TEXTS: dict[str, Callable[[str], str]] = {
    "truncated": lambda text: text[: len(text) // 2],
    "null": lambda text: "null",
    "a list": lambda text: "[]",
    "lists in a list": lambda text: "[[], [[]]]",
    "a number": lambda text: "7",
    "a text": lambda text: '"x"',
    "an object of nothing": lambda text: "{}",
    "an object of nulls": lambda text: re.sub(r"(?<=: )[^\s\[\]{},]+(?=,?\n)", "null", text),
    "an object of texts": lambda text: re.sub(r"(?<=: )[\d.e-]+", '"x"', text),
    "400 digits": lambda text: re.sub(r"(?<=: )-?[\d.e-]+", DIGITS, text),
    "more than any number": lambda text: re.sub(r"(?<=: )-?[\d.e-]+", "1e999", text),
    "no number": lambda text: re.sub(r"(?<=: )-?[\d.e-]+", "NaN", text),
    "below zero": lambda text: re.sub(r"(?<=: )-?([\d.e-]+)", r"-\1", text),
    "nested without end": lambda text: "[" * 100_000,
    "objects without end": lambda text: '{"a":' * 100_000,
}


def damaged(path: Path, kind: str) -> None:
    """Put something else in a file's place."""
    text = path.read_bytes().decode("latin-1")
    if kind == "a folder":
        path.unlink()
        path.mkdir()
    elif kind == "markup":
        path.write_text(json.dumps(marked(json.loads(text))))
    elif kind in TEXTS:
        path.write_text(TEXTS[kind](text), encoding="latin-1")
    else:
        path.write_bytes({"empty": b"", "no text": b"\xff\xfe\x00\x81"}[kind])


@contextmanager
def instead(path: Path, change: Callable[[], None]) -> Iterator[None]:
    """Within, a file is another; afterwards it is what it was."""
    content = path.read_bytes()
    try:
        change()
        yield
    finally:
        if path.is_dir():
            path.rmdir()
        path.write_bytes(content)


def works_or_one_line(use: Use, run: RunDirectory) -> str:
    """The page that it makes, where it makes one."""
    said, shown = "", None
    try:
        shown = use(run)
    except VftError as error:
        said = str(error)
    assert "\n" not in said
    assert len(said) < 800, said
    return shown if isinstance(shown, str) else ""


@pytest.mark.parametrize("file", sorted(JSON_READERS))
@pytest.mark.parametrize("kind", [*TEXTS, "empty", "no text", "a folder", "markup"])
def test_whatever_a_file_of_json_holds_is_read_or_refused_in_a_line(
    whole: RunDirectory, file: str, kind: str
) -> None:
    path = whole.path / file
    with instead(path, lambda: damaged(path, kind)):
        for use in JSON_READERS[file]:
            page = works_or_one_line(use, whole)
            assert MARKUP not in page, use.__name__


@pytest.mark.parametrize("file", sorted(BINARY_READERS))
@pytest.mark.parametrize("kind", ["truncated", "a number", "400 digits", "nested without end",
                                  "empty", "no text", "a folder"])  # fmt: skip
def test_whatever_another_file_holds_is_read_or_refused_in_a_line(
    whole: RunDirectory, file: str, kind: str
) -> None:
    path = whole.path / file
    with instead(path, lambda: damaged(path, kind)):
        for use in BINARY_READERS[file]:
            works_or_one_line(use, whole)


TABLES = {
    "no columns": pd.DataFrame(),
    "no rows": pd.DataFrame({"split": [], "label": [], "predicted": [], "confidence": []}),
    "other columns": pd.DataFrame({"a": [1]}),
    "numbers for texts": pd.DataFrame({"split": [1, 2], "label": 1, "predicted": 1}),
    "texts for numbers": pd.DataFrame(
        {"split": ["validation"] * 20, "label": "a", "predicted": "a", "confidence": "<b>"}
    ),
    "objects": pd.DataFrame(
        {"split": ["validation"] * 20, "label": "a", "predicted": "a", "confidence": [[1.0]] * 20}
    ),
}


@pytest.mark.parametrize("kind", sorted(TABLES))
@pytest.mark.parametrize("file", [name for name in BINARY_READERS if name.endswith(".parquet")])
def test_a_table_of_something_else_is_read_or_refused_in_a_line(
    whole: RunDirectory, file: str, kind: str
) -> None:
    path = whole.path / file
    with instead(path, lambda: TABLES[kind].to_parquet(path)):
        for use in BINARY_READERS[file]:
            works_or_one_line(use, whole)


@pytest.mark.parametrize("names", [(), ("mean",), ("mean", "directions", "embeddings")])
def test_arrays_of_something_else_are_refused_in_a_line(
    whole: RunDirectory, names: tuple[str, ...]
) -> None:
    path = whole.reference_arrays_file
    if not path.is_file():
        pytest.skip("the model keeps no embeddings")
    arrays = {name: np.zeros(3, np.float32) for name in names}
    with instead(path, lambda: safetensors.numpy.save_file(arrays, path)):
        with pytest.raises(VftError) as caught:
            Reference.load(whole)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"../\n../x", b"/nowhere", b"x" * 300, b"x/" * 9000, b"a\0b"]
)
def test_a_champion_file_of_something_else_is_refused_in_a_line(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "champion").write_bytes(content)
    with pytest.raises(VftError) as caught:
        RunDirectory.open(tmp_path / "champion")
    assert "\n" not in str(caught.value)
