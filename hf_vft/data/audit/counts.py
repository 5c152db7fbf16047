"""How many images of what, and how evenly they are shared out."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import chi2_contingency

from hf_vft.data.audit.results import AuditFinding, Counts, Size
from hf_vft.data.load import ImageData
from hf_vft.utils.text import counted

# The largest class may have so many times the training images of the smallest.
IMBALANCED = 5.0
VERY_IMBALANCED = 50.0
# Total variation between the class shares of two splits, and how unlikely it must be by chance.
SHIFTED = 0.1
SIGNIFICANT = 1e-3


def count_images(data: ImageData) -> Counts:
    """Images in all, by split, and by class and split."""
    by_split = {split: (data.members(split) > 0).sum(axis=0).tolist() for split in data.splits}
    return Counts(
        images=sum(len(table) for table in data.splits.values()),
        splits={split: len(table) for split, table in data.splits.items()},
        classes={
            name: {split: counts[number] for split, counts in by_split.items()}
            for number, name in enumerate(data.labels)
        },
    )


def count_sizes(measures: pd.DataFrame, limit: int = 400) -> list[Size]:
    """The sizes in pixels, the most frequent first."""
    sizes = measures.groupby(["width", "height"]).size().sort_values(ascending=False).head(limit)
    return [
        Size(width=int(width), height=int(height), images=int(images))
        for width, height, images in sizes.reset_index().to_numpy()
    ]


def count_findings(data: ImageData, counts: Counts) -> list[AuditFinding]:
    """Unusable images, imbalance, and splits whose classes are shared out differently."""
    if data.kind.learns_first_class:  # the others are held out on purpose
        return _unusable(data)
    return [*_unusable(data), *_imbalance(counts), *_shifts(counts)]


def _unusable(data: ImageData) -> list[AuditFinding]:
    if not data.rejected:
        return []
    first = data.rejected[0]
    are = "is" if len(data.rejected) == 1 else "are"
    return [
        AuditFinding(
            severity="warning",
            sentence=f"{counted(len(data.rejected), 'unusable image')} {are} left out, e.g. "
            f"{first.file} ({first.reason}).",
            kind="unusable",
            files=[item.file for item in data.rejected],
        )
    ]


def _imbalance(counts: Counts) -> list[AuditFinding]:
    train = {name: by_split.get("train", 0) for name, by_split in counts.classes.items()}
    rarest, commonest = min(train, key=train.__getitem__), max(train, key=train.__getitem__)
    ratio = train[commonest] / max(train[rarest], 1)
    if ratio < IMBALANCED:
        return []
    return [
        AuditFinding(
            severity="warning" if ratio >= VERY_IMBALANCED else "info",
            sentence=f"{rarest} has {ratio:.0f} times fewer images to learn from than "
            f"{commonest} ({train[rarest]:,} against {train[commonest]:,}).",
            kind="imbalance",
        )
    ]


def _shifts(counts: Counts) -> list[AuditFinding]:
    """Splits whose class shares differ from those of train by more than chance."""
    names = list(counts.classes)
    train = np.array([counts.classes[name].get("train", 0) for name in names])
    findings = []
    for split in counts.splits:
        here = np.array([counts.classes[name][split] for name in names])
        present = train + here > 0
        if split == "train" or present.sum() < 2 or not here.any() or not train.any():
            continue
        shares, expected = here / here.sum(), train / train.sum()
        difference = np.abs(shares - expected)
        by_chance = chi2_contingency(np.stack([train, here])[:, present]).pvalue
        if difference.sum() / 2 >= SHIFTED and by_chance < SIGNIFICANT:
            most = int(difference.argmax())
            findings.append(
                AuditFinding(
                    severity="warning",
                    sentence=f"The classes are shared out differently in {split}: {names[most]} "
                    f"is {expected[most]:.0%} of train and {shares[most]:.0%} of {split}.",
                    kind="class_shift",
                )
            )
    return findings
