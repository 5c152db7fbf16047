"""The kinds of answers that models give, each described once, without torch.

Whatever differs between one label, several labels and boxes once a model has answered is asked of
its `AnswerKind`: what the production log holds, how answers drift, how right they are, what
feedback may say, and the words of the page and of the model card.
"""

from __future__ import annotations

from hf_vft.answers.boxes import Boxes
from hf_vft.answers.good_parts import GoodOrAnomaly
from hf_vft.answers.kind import AnswerKind, CardWords, PageWords, Scoring, WholeScore
from hf_vft.answers.one_label import OneLabel
from hf_vft.answers.several_labels import SeveralLabels
from hf_vft.errors import RunError

ANSWER_KINDS: dict[str, AnswerKind] = {
    kind.task: kind for kind in (OneLabel(), SeveralLabels(), Boxes(), GoodOrAnomaly())
}
"""By the task's name in recipes; here, and nowhere else, a new kind is registered."""

__all__ = [
    "ANSWER_KINDS",
    "AnswerKind",
    "Boxes",
    "CardWords",
    "GoodOrAnomaly",
    "OneLabel",
    "PageWords",
    "Scoring",
    "SeveralLabels",
    "WholeScore",
    "answer_kind",
]


def answer_kind(task: str) -> AnswerKind:
    """How a task answers.

    Raises:
        RunError: If no answers of this task are known.
    """
    if task not in ANSWER_KINDS:
        raise RunError(
            f"task {task!r}: this hf-vft knows the answers of {', '.join(ANSWER_KINDS)}; upgrade "
            "hf-vft if a newer one made the run."
        )
    return ANSWER_KINDS[task]
