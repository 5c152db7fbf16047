"""The quick audit: what can be told from the images without a model, in seconds."""

from __future__ import annotations

from pathlib import Path

from hf_vft.data.audit.counts import count_findings, count_images, count_sizes
from hf_vft.data.audit.duplicates import described_sets, duplicate_findings, find_duplicates
from hf_vft.data.audit.measure import measure_images
from hf_vft.data.audit.outliers import find_outliers, spreads
from hf_vft.data.audit.results import Audit, gravest_first
from hf_vft.data.load import ImageData
from hf_vft.data.verify import Progress


def quick_audit(
    data: ImageData,
    *,
    cache_dir: Path | None = None,
    progress: Progress | None = None,
) -> Audit:
    """Look for duplicates and leaks, odd images, imbalance.

    Images are decoded as they are for training, a few at a time. A second audit of the same
    data with the same ``cache_dir`` decodes nothing.

    Args:
        data: Divided images.
        cache_dir: Where what was measured is kept.
        progress: Told the number of images done and of all.

    Raises:
        DataError: If an image has become unreadable since it was loaded.
    """
    measures = measure_images(data, cache_dir=cache_dir, progress=progress)
    counts = count_images(data)
    sets = find_duplicates(measures)
    outliers, odd = find_outliers(measures)
    groups = bool(measures["group"].notna().any())
    findings = [
        *duplicate_findings(measures, sets, groups),
        *count_findings(data, counts),
        *odd,
    ]
    return Audit(
        source=data.source,
        fingerprint=data.fingerprint,
        counts=counts,
        findings=gravest_first(findings),
        sizes=count_sizes(measures),
        spreads=spreads(measures),
        duplicates=described_sets(measures, sets),
        outliers=outliers,
        notes=list(data.notes),
    )
