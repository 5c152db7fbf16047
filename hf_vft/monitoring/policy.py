"""The policy: from which evidence on something is said, and what is done about it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hf_vft.errors import PolicyError
from hf_vft.recipe.errors import explain
from hf_vft.utils.resources import bundled
from hf_vft.utils.yaml_text import parse_yaml

Share = Annotated[float, Field(gt=0.0, lt=1.0)]
Count = Annotated[int, Field(ge=1, le=2**63 - 1)]


EFFECTS: dict[str, float] = {
    "Wasserstein / SD": 0.25,
    "Cramér's V": 0.15,
    "largest KS distance": 0.15,
    "2 AUC - 1": 0.3,
    "share": 0.05,
    "MMD": 0.1,
}
HARM: dict[str, float] = {
    "labels.accuracy": 0.05,
    "labels.f1_macro": 0.07,
    "labels.f1_image": 0.05,
    "labels.concept": 0.07,
    "performance.estimated_accuracy": 0.05,
    "bias.new_gap": 0.05,
}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Windows(_Part):
    """The rows of a window, and the number of windows in which a finding has to recur."""

    count: Count = Field(3, description="Windows, of equal numbers of rows, up to the newest row.")
    needed: Count = Field(2, description="In so many of them a finding has to hold to page.")
    sure: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        0.001,
        description="A loss that labels measure pages from the newest window alone where its "
        "p-value, after Holm, is at most this; 0 turns that off.",
    )
    rows: Count = Field(500, description="Rows of a window; fewer where the log has fewer.")
    least: Count = Field(100, description="Fewer rows are no window, and give no verdict.")

    @model_validator(mode="after")
    def _possible(self) -> Windows:
        if self.needed > self.count:
            raise ValueError(f"needed ({self.needed}) is more than count ({self.count})")
        return self


class GroupRules(_Part):
    """Whom the model has to treat alike."""

    columns: list[str] = Field(
        default_factory=list, description="Slice columns; empty: those of the run."
    )
    intersections: bool = Field(True, description="Compare where two columns meet, too.")
    min_rows: Count = Field(100, description="Fewer rows of a group say insufficient.")
    min_events: Count = Field(10, description="Fewer errors of a group say insufficient.")


class Actions(_Part):
    """The actions beside writing the report."""

    exit_status: bool = Field(True, description="Exit with 3 on an alert.")
    webhook: str | None = Field(None, description="Address that gets the verdict as JSON (POST).")
    hub: str | None = Field(None, description="Model repository that gets a discussion.")
    ask_for: Annotated[int, Field(ge=0)] = Field(60, description="Images to label, at most.")


class Policy(_Part):
    """See ``monitoring/policies/`` for those that come with hf-vft."""

    description: str = Field("", description="What it is for.")
    alpha: Share = Field(0.05, description="Allowed chance of any false alarm, after Holm.")
    windows: Windows = Windows()
    effects: dict[str, Annotated[float, Field(ge=0.0)]] = Field(
        default_factory=lambda: dict(EFFECTS),
        description="Smallest drift worth the name, by `effect_name`, or by section.name.",
    )
    harm: dict[str, Share] = Field(
        default_factory=lambda: dict(HARM),
        description="By section.name: loss from which on the model is retrained.",
    )
    groups: GroupRules = GroupRules()
    actions: Actions = Actions()


def load_policy(name_or_path: str | Path = "default") -> Policy:
    """Read a bundled policy by name, or a YAML file.

    Raises:
        PolicyError: If it cannot be found, read or understood.
    """
    known = bundled_policies()
    path = known.get(str(name_or_path), Path(name_or_path))
    if not path.is_file():
        raise PolicyError(
            f"No policy {str(name_or_path)!r}: give a file, or one of {', '.join(known)}."
        )
    try:
        tree = parse_yaml(path.read_text(encoding="utf-8")) or {}
    except (OSError, ValueError) as error:
        raise PolicyError(f"{path}: not readable as YAML: {error}") from None
    if not isinstance(tree, dict):
        raise PolicyError(f"{path}: a policy is a mapping of fields.")
    for name, standard in (("effects", EFFECTS), ("harm", HARM)):
        if isinstance(tree.get(name), dict):
            tree[name] = standard | tree[name]
    try:
        return Policy.model_validate(tree)
    except ValidationError as error:
        raise PolicyError(f"{path}: {explain(error, tree, _fields())}") from None


def bundled_policies() -> dict[str, Path]:
    """Name and file of each policy that comes with hf-vft."""
    return {path.stem: path for path in sorted((bundled("monitoring") / "policies").glob("*.yaml"))}


def _fields() -> list[str]:
    parts: dict[str, type[_Part]] = {"windows": Windows, "groups": GroupRules, "actions": Actions}
    nested = [f"{part}.{name}" for part, model in parts.items() for name in model.model_fields]
    return [*Policy.model_fields, *nested]
