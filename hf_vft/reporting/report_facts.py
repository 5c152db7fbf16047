"""What the report says about the run beside the scores: the content of ``run.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hf_vft.run import image_counts

_DEVICES = {"cpu": "CPU", "cuda": "GPU", "mps": "Apple GPU", "xpu": "Intel GPU"}


@dataclass(frozen=True)
class ReportFacts:
    """Origin of a result. Everything may be unknown (empty, or None).

    Attributes:
        checkpoint: What was fine-tuned: a Hub id or a folder.
        delivered: What the weights of the run are, such as the linear probe.
        pretrained: Whether its weights had been trained before.
        parameters: How many the model has.
        lora: Settings of the adapters; empty without any.
        source: Where the images are from.
        images: How many each split has.
        rejected: Unusable images, each with ``file`` and ``reason``.
        notes: What was noticed about the data and the training, a sentence each.
        warnings: What the learning curves gave away, by stage.
        device: What it was trained on.
        seconds: From the start of the run to its end.
        version: Of hf-vft.
        finished: Date and time, ISO 8601.
    """

    checkpoint: str = ""
    delivered: str = ""
    pretrained: bool | None = None
    parameters: int | None = None
    lora: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    images: Mapping[str, int] = field(default_factory=dict)
    rejected: tuple[Mapping[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    warnings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    device: str = ""
    seconds: float | None = None
    version: str = ""
    finished: str = ""

    @property
    def model_name(self) -> str:
        """The Hub id that was fine-tuned, or the folder's own name without the way to it."""
        if self.checkpoint.count("/") == 1 and self.checkpoint[0] not in "./~":
            return self.checkpoint
        return self.checkpoint.rstrip("/").rpartition("/")[2]

    @classmethod
    def from_summary(cls, summary: Mapping[str, Any]) -> ReportFacts:
        """The facts in the content of ``run.json``; missing ones stay unknown."""
        stages = summary.get("warnings") or {}
        return cls(
            checkpoint=str(summary.get("checkpoint") or ""),
            delivered=str(summary.get("delivered") or ""),
            pretrained=summary.get("pretrained"),
            parameters=summary.get("parameters"),
            lora=dict(summary.get("lora") or {}),
            source=str(summary.get("source") or ""),
            images=image_counts(summary),
            rejected=tuple(summary.get("rejected") or ()),
            notes=tuple(summary.get("notes") or ()),
            warnings={stage: tuple(sentences) for stage, sentences in stages.items()},
            device=_DEVICES.get(str(summary.get("device")), str(summary.get("device") or "")),
            seconds=summary.get("seconds"),
            version=str(summary.get("hf_vft") or ""),
            finished=str(summary.get("finished") or ""),
        )
