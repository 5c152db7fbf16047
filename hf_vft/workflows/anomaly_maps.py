"""Maps of anomalies as files, for ``hf-vft predict --maps``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from hf_vft.answers import answer_kind
from hf_vft.errors import RunError
from hf_vft.explain.anomalies import draw_anomalies
from hf_vft.inference.predictor import FileAnswer, Predictor
from hf_vft.outputs import claim
from hf_vft.run import write_file

_END = "_map.png"


def with_maps(
    answers: Iterable[FileAnswer], predictor: Predictor, folder: Path
) -> Iterator[FileAnswer]:
    """The answers, each with the file that its map was drawn to.

    Args:
        answers: Of `Predictor.answer_files`.
        predictor: That gave them.
        folder: Where to; ``0001_photo_map.png`` is the map of the first image, ``photo.jpg``.

    Raises:
        RunError: If the run answers without a map.
        OutputError: If a file that hf-vft did not write is in the way.
    """
    if not answer_kind(predictor.task.name).scored:
        raise RunError(f"{predictor.run.path}: --maps needs a run of anomaly-detection.")
    claim(folder, (f"*{_END}",), command="predict")
    return _drawn(answers, predictor, folder)


def _drawn(
    answers: Iterable[FileAnswer], predictor: Predictor, folder: Path
) -> Iterator[FileAnswer]:
    for number, answer in enumerate(answers, start=1):
        heat = answer.prediction.heat if answer.prediction is not None else None
        if heat is None:
            yield answer
            continue
        name = f"{number:04d}_{Path(answer.file).stem}{_END}"
        image = draw_anomalies(predictor.decode(Path(answer.file)), heat)
        write_file(folder / name, partial(image.save, format="PNG"))
        yield replace(answer, fields={**answer.fields, "map": str(folder / name)})
