"""A run folder with every file that a report reads, from made-up answers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from hf_vft.evaluation.calibration import fit_temperature
from hf_vft.evaluation.classification import evaluate_logits, majority_class_logits
from hf_vft.evaluation.results import EvalReport
from hf_vft.reporting.mistakes import Mistake

LABELS = ["Blowhole", "Break", "Crack", "Fray", "Free", "Uneven"]
SHARES = [0.14, 0.12, 0.09, 0.05, 0.42, 0.18]


def answers(n: int, skill: float, seed: int, labels: list[str] = LABELS):
    rng = np.random.default_rng(seed)
    shares = np.array(SHARES) if labels is LABELS else np.full(len(labels), 1 / len(labels))
    ids = rng.choice(len(labels), size=n, p=shares)
    return rng.normal(size=(n, len(labels))) * 1.5 + skill * np.eye(len(labels))[ids], ids


def made_report(
    n: int = 140, skill: float = 5.0, labels: list[str] = LABELS, n_bootstrap: int = 200
) -> EvalReport:
    validation, validation_ids = answers(n, skill, 1, labels)
    temperature = fit_temperature(validation, validation_ids)
    logits, ids = answers(n, skill, 2, labels)
    exposure = [f"exposure {i % 3 + 1}" for i in range(n)]
    options = {"n_bootstrap": n_bootstrap}
    probe, _ = answers(n, 0.55 * skill, 2, labels)
    majority = majority_class_logits(ids, n, len(labels))
    return EvalReport(
        task="image-classification",
        labels=labels,
        temperature=temperature,
        splits={
            "validation": evaluate_logits(
                validation, validation_ids, labels, temperature=temperature, **options
            ),
            "test": evaluate_logits(
                logits,
                ids,
                labels,
                temperature=temperature,
                slices={"exposure": exposure},
                **options,
            ),
        },
        baselines={
            "majority_class": {"test": evaluate_logits(majority, ids, labels, **options).metrics},
            "linear_probe": {"test": evaluate_logits(probe, ids, labels, **options).metrics},
        },
    )


def history() -> list[dict]:
    rows = []
    for stage, epochs, start, end in (("head", 6, 0.35, 0.6), ("all", 14, 0.62, 0.9)):
        for epoch in range(1, epochs + 1):
            done = 1 - np.exp(-3 * epoch / epochs)
            wobble = 0.015 * np.sin(epoch * 2.1)
            rows.append(
                {
                    "stage": stage,
                    "epoch": float(epoch),
                    "step": 22 * epoch,
                    "train_loss": float(1.9 - 1.5 * (start + (end - start) * done) + wobble),
                    "eval_loss": float(1.9 - 1.35 * (start + (end - start) * done) + 2 * wobble),
                    "eval_f1_macro": float(start + (end - start) * done + wobble),
                    "eval_accuracy": float(start + (end - start) * done + 0.03),
                    "learning_rate": 1e-3 if stage == "head" else 1e-4 * (1 - epoch / 15),
                    "seconds": 3.2,
                }
            )
    return rows


CHOICES = [
    {
        "name": "model.candidates",
        "was": "auto",
        "value": ["google/mobilenet_v2_1.0_224"],
        "reason": "The strongest pre-trained backbone that fits ten minutes on this processor.",
    },
    {
        "name": "model.dropout",
        "was": "auto",
        "value": 0.0,
        "reason": "The checkpoint asks for 0.8, which hampers fine-tuning on little data.",
    },
    {
        "name": "training.batch_size",
        "was": "auto",
        "value": 32,
        "reason": "About 22 steps an epoch with 702 training images.",
    },
    {"name": "training.precision", "was": "auto", "value": "bf16", "reason": "1.3 times faster."},
    {
        "name": "augment.vertical_flip",
        "was": "auto",
        "value": 0.5,
        "reason": "The parts have no natural top.",
    },
]

SUMMARY = {
    "hf_vft": "0.1.0",
    "finished": "2026-11-23T17:20:00+00:00",
    "checkpoint": "google/mobilenet_v2_1.0_224",
    "pretrained": True,
    "parameters": 2_231_558,
    "source": "photos/surfaces",
    "images": {"train": 702, "validation": 138, "test": 140},
    "rejected": [{"file": "Free/scan_0017.png", "reason": "truncated"}],
    "notes": ["The splits were made here, by tile_group: 60 %, 20 % and 20 % of 236 groups."],
    "warnings": {"head": ["The head was still improving when its stage ended (+0.024)."]},
    "device": "Intel Xeon, 2 cores",
    "seconds": 563.2,
}

AUDIT = {
    "counts": {"images": 980},
    "findings": [
        {
            "severity": "warning",
            "sentence": "4 images of test are also in train, byte by byte.",
            "kind": "identical_across",
            "files": [f"test/Crack/exp{i}.jpg" for i in range(6)],
        },
        {"severity": "info", "sentence": "Fray has 12 times fewer images than Free."},
    ],
}


def made_image(seed: int, size: tuple[int, int] = (220, 180)) -> Image.Image:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(90, 170, size=(9, 11), dtype=np.uint8)
    image = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    return image.convert("RGB")


def mistakes(n: int = 8) -> list[Mistake]:
    return [
        Mistake(
            made_image(i),
            file=f"{LABELS[i % 6]}/exp{i % 3}_num_{1034 + 77 * i}.jpg",
            true=LABELS[i % 6],
            predicted=LABELS[(i + 2) % 6],
            confidence=0.97 - 0.045 * i,
        )
        for i in range(n)
    ]


def made_run(path: Path, report: EvalReport | None = None, *, complete: bool = True) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    (path / "metrics.json").write_text((report or made_report()).model_dump_json())
    if complete:
        for name, content in {
            "history": history(),
            "choices": CHOICES,
            "run": SUMMARY,
            "audit": AUDIT,
        }.items():
            (path / f"{name}.json").write_text(json.dumps(content))
    return path
