"""The audit page: what it shows, and that it stands alone."""

from __future__ import annotations

import io
import re
from pathlib import Path

import datasets
import pytest

from hf_vft.data.audit.results import (
    Audit,
    AuditedImage,
    AuditFinding,
    Counts,
    DuplicateSet,
    Lookalikes,
    Outlier,
    Size,
    Spread,
    Suspect,
)
from hf_vft.data.load import ImageData
from hf_vft.reporting.audit_page import headline, render_audit, tone
from tests.reporting.made import made_image

NAMES = ["<b>bolt", "nut"]


def data() -> ImageData:
    def table(split: str, start: int, n: int) -> datasets.Dataset:
        images = []
        for seed in range(start, start + n):
            buffer = io.BytesIO()
            made_image(seed).save(buffer, format="PNG")
            images.append({"bytes": buffer.getvalue(), "path": None})
        return datasets.Dataset.from_dict(
            {
                "image": images,
                "label": [i % 2 for i in range(n)],
                "file": [f"{split}/{i}.png" for i in range(n)],
            },
            features=datasets.Features(
                {
                    "image": datasets.Image(decode=False),
                    "label": datasets.ClassLabel(names=NAMES),
                    "file": datasets.Value("string"),
                }
            ),
        )

    splits = {"train": table("train", 0, 6), "test": table("test", 10, 4)}
    return ImageData(splits=splits, labels=NAMES, source="parts")


def named(file: str, label: str = "nut") -> AuditedImage:
    return AuditedImage(file=file, split=file.split("/")[0], label=label)


COUNTS = Counts(
    images=10,
    splits={"train": 6, "test": 4},
    classes={"<b>bolt": {"train": 3, "test": 2}, "nut": {"train": 3, "test": 2}},
)
LEAK = AuditFinding(
    severity="error",
    sentence="1 image of test is also in train, byte by byte.",
    kind="identical_across",
    files=["test/0.png"],
)
CLEAN = Audit(source="parts", fingerprint="", counts=COUNTS, findings=[])
FULL = CLEAN.model_copy(
    update={
        "findings": [LEAK, AuditFinding(severity="warning", sentence="A thing.", kind="dark")],
        "sizes": [Size(width=220, height=180, images=9), Size(width=50, height=180, images=1)],
        "spreads": [Spread(name="brightness", edges=[0.2, 0.4, 0.6], counts=[3, 7])],
        "duplicates": [
            DuplicateSet(kind="identical", images=[named("train/0.png"), named("test/0.png")]),
            DuplicateSet(
                kind="near", images=[named("train/1.png"), named("train/2.png")], expected=True
            ),
        ],
        "outliers": [Outlier(image=named("train/3.png"), kind="dark", words="brightness 0.02")],
        "lookalikes": [Lookalikes(first="<b>bolt", second="nut", n=4, of=10)],
        "suspects": [
            Suspect(
                image=named("train/4.png", "<b>bolt"),
                suggested="nut",
                confidence=0.93,
                quality=0.02,
            )
        ],
        "labels_note": "Labels were checked.",
        "notes": ["Cut from all images."],
    }
)


def rendered(tmp_path: Path, audit: Audit) -> str:
    return render_audit(audit, data(), tmp_path / "audit.html", name="parts").read_text()


def test_everything_is_shown(tmp_path: Path) -> None:
    page = rendered(tmp_path, FULL)
    for text in (
        "1 error and 1 warning: 1 image of test is also in train, byte by byte.",
        "labelled <strong>&lt;b&gt;bolt</strong>",
        "looks like <strong>nut</strong>",
        "across splits",
        "brightness 0.02",
        "Labels were checked.",
        "Cut from all images.",
        "1 set of near copies within one group and split is to be expected",
        "4 <span class=\"range\">of 10</span>",
        "220 × 180: 9 images",
    ):  # fmt: skip
        assert text in page
    # The suspect, two copies, one odd image; the expected set is not shown.
    assert page.count("data:image/webp;base64,") == 4
    assert "train/<wbr>2." not in page


def test_the_page_fetches_nothing_and_escapes_names(tmp_path: Path) -> None:
    page = rendered(tmp_path, FULL)
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", page)
    assert "<b>" not in page


def test_labels_between_lookalikes_stand_apart(tmp_path: Path) -> None:
    unclear = FULL.suspects[0].model_copy(update={"alike": True})
    page = rendered(tmp_path, FULL.model_copy(update={"suspects": [unclear]}))
    assert "Labels between classes that look alike" in page
    assert "Labels that may be wrong" not in page
    assert "and 1 between classes that look alike" in page


def test_clean_data(tmp_path: Path) -> None:
    page = rendered(tmp_path, CLEAN)
    assert "Nothing in these images stands in the way of training." in page
    assert "Nothing to report." in page
    for section in ("labels", "duplicates", "odd", "lookalikes"):
        assert f'id="{section}"' not in page
    assert "the quick audit looks at the images alone" in page


def test_an_image_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    gone = Outlier(image=named("train/99.png"), kind="dark", words="")
    page = rendered(tmp_path, CLEAN.model_copy(update={"outliers": [gone]}))
    assert "The image is no longer there." in page


def test_a_large_set_shows_every_split_and_label_first(tmp_path: Path) -> None:
    many = [named("train/1.png")] * 5 + [named("test/0.png"), named("train/2.png", "<b>bolt")]
    page = rendered(
        tmp_path,
        CLEAN.model_copy(update={"duplicates": [DuplicateSet(kind="near", images=many)]}),
    )
    assert "different labels" in page
    assert "test/<wbr>0." in page
    assert "and 3 more" in page


@pytest.mark.parametrize(
    ("severities", "expected"),
    [((), "good"), (("info",), "good"), (("warning", "info"), "warn"), (("error",), "bad")],
)
def test_tone(severities: tuple[str, ...], expected: str) -> None:
    findings = [AuditFinding(severity=one, sentence="So.", kind="") for one in severities]  # type: ignore[arg-type]
    audit = CLEAN.model_copy(update={"findings": findings})
    assert tone(audit) == expected
    assert ("Nothing" in headline(audit)) == (expected == "good")
