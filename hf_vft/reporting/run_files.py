"""What the smaller files of a run have to hold for those who show it; what else they hold stays.

A run folder may come from a stranger, or from another version: what does not fit is one line.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from hf_vft.run import RunDirectory

FINE_TUNED = "the fine-tuned weights"
"""``delivered`` in ``run.json`` where the model is what its name promises."""


class _Open(BaseModel):
    """Unknown keys are kept: not every reader shows everything."""

    model_config = ConfigDict(extra="allow", frozen=True)


class RunSummary(_Open):
    """``run.json``: where a run came from. Everything may be missing."""

    hf_vft: str | None = None
    finished: str | None = None
    checkpoint: str | None = None
    delivered: str | None = None
    pretrained: bool | None = None
    parameters: int | None = None
    lora: dict[str, Any] | None = None
    source: str | None = None
    fingerprint: str | None = None
    images: dict[str, int] | None = None
    pictures: dict[str, int] | None = None
    rejected: list[dict[str, Any]] | int | None = None
    notes: list[str] | None = None
    warnings: dict[str, list[str]] | None = None
    device: str | None = None
    processes: int | None = None
    seconds: float | None = None


class ChosenValue(_Open):
    """An entry of ``choices.json``."""

    name: str
    value: Any = None
    reason: str


class ToldFinding(_Open):
    """A finding of ``audit.json``."""

    sentence: str
    severity: str = ""
    kind: str = ""
    files: list[str] = []


class ToldAudit(_Open):
    """``audit.json``, as far as the report and the card tell it."""

    findings: list[ToldFinding] = []


class EpochRecord(_Open):
    """An entry of ``history.json``."""

    __pydantic_extra__: dict[str, float | str | None]
    stage: str
    epoch: float


def read_summary(run: RunDirectory) -> dict[str, Any]:
    """The content of ``run.json``.

    Raises:
        RunError: If it is missing or broken.
    """
    return run.read_as(RunSummary, run.summary_file).model_dump(exclude_unset=True)


def read_choices(run: RunDirectory) -> list[dict[str, Any]]:
    """The content of ``choices.json``; nothing where there is none."""
    if not run.choices_file.is_file():
        return []
    choices = run.read_as(list[ChosenValue], run.choices_file)
    return [choice.model_dump(exclude_unset=True) for choice in choices]


def read_audit(run: RunDirectory) -> dict[str, Any] | None:
    """The content of ``audit.json``; None where there is none."""
    if not run.audit_file.is_file():
        return None
    return run.read_as(ToldAudit, run.audit_file).model_dump()


def read_history(run: RunDirectory) -> list[dict[str, Any]]:
    """The content of ``history.json``; nothing where there is none."""
    if not run.history_file.is_file():
        return []
    epochs = run.read_as(list[EpochRecord], run.history_file)
    return [record.model_dump(exclude_unset=True) for record in epochs]
