"""What came of the chain for every checkpoint, as a document: `docs/support.md` is made of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import timm
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES,
    MODEL_FOR_OBJECT_DETECTION_MAPPING_NAMES,
)

from tests.families.chain import CHEAP, LINKS
from tests.families.replicas import REPLICAS
from tests.families.replicas.form import DETECTION, Replica
from tests.families.replicas.timm_models import ARCHITECTURES, SIZED, timm_replica
from tests.families.subject import Outcome, Subject, tried

BUILT = Path("build") / "families.json"
LIBRARIES = ("transformers", "timm", "peft", "torch", "onnxruntime")

FAMILIES = {
    family: task
    for task, names in (
        ("image-classification", MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES),
        (DETECTION, MODEL_FOR_OBJECT_DETECTION_MAPPING_NAMES),
    )
    for family in names
}
"""Every family of the installed transformers, and what it is fine-tuned for."""


def family_of(replica: Replica) -> str:
    """As transformers calls it, or the architecture of timm."""
    return str(replica.config.get("model_type") or f"timm {replica.config['architecture']}")


def subjects() -> dict[str, Replica]:
    """All that ``make test-families`` tries, by name: the replicas, and the kinds of timm."""
    known = set(timm.list_models())
    names = [name for name in ARCHITECTURES if name in known]
    others = (timm_replica(name, source="", **SIZED.get(name, {})) for name in names)
    return REPLICAS | {replica.repo_id: replica for replica in others}


def chain(replica: Replica, folder: Path) -> dict[str, Outcome]:
    """All links; networks of timm at their full width are not translated to ONNX."""
    links = LINKS if replica.repo_id in REPLICAS else CHEAP
    subject = Subject(replica.repo_id, folder, replica.task, replica.side)
    found = {"loads": tried(links["loads"], subject)}
    if found["loads"].words.endswith("choose image.fit=squash."):
        limit, subject = found["loads"], replace(subject, fit="squash")
        found = {"loads": tried(links["loads"], subject), "processor": limit}
    if found["loads"].status == "yes":
        found |= {name: tried(link, subject) for name, link in links.items() if name != "loads"}
    return found


def document(found: Mapping[str, Mapping[str, Outcome]]) -> dict[str, Any]:
    """As JSON takes it, with the versions of the libraries."""
    replicas = subjects()
    rows = {
        name: {
            "family": family_of(replicas[name]),
            "task": replicas[name].task,
            "source": replicas[name].source,
            "links": {link: [o.status, o.words] for link, o in outcomes.items()},
        }
        for name, outcomes in found.items()
    }
    return {"versions": {name: version(name) for name in LIBRARIES}, "rows": rows}


def write(found: Mapping[str, Mapping[str, Outcome]], path: Path = BUILT) -> None:
    """For `tests.families.table` to read."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document(found), indent=1), encoding="utf-8")
