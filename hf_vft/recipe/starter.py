"""A first recipe from a few answers, with a comment for each."""

from __future__ import annotations

import json
from dataclasses import dataclass

from hf_vft.recipe.schema import parse_recipe
from hf_vft.utils.yaml_text import parse_yaml

_HEAD = """\
# A recipe of `hf-vft init`. Fit it:  hf-vft fit --recipe {file}
# What is not set here has its default; `hf-vft recipes staged` prints the stages.
"""


@dataclass(frozen=True)
class Answers:
    """Answers to the questions of `hf-vft init`; None leaves a choice to hf-vft.

    Attributes:
        data: Folder, file or Hub id of the images.
        label: The column that holds the labels.
        group: The column of what several images share: a part, a patient, a place.
        model: The backbone: a Hub id or a folder.
        time_budget: How long a search for the best model may take, such as ``20m``.
    """

    data: str
    label: str | None = None
    group: str | None = None
    model: str | None = None
    time_budget: str | None = None


def starter_recipe(answers: Answers, *, file: str) -> str:
    """The YAML of a recipe; settings that were left open are there as comments.

    Args:
        answers: Of a person.
        file: Name of the recipe, for the command in its first line.

    Raises:
        RecipeError: If an answer is no value of its setting.
    """
    model = None if answers.model is None else [answers.model]
    text = _HEAD.format(file=file) + "\n".join(
        [
            "",
            "data:",
            "  # A folder, a zip, a CSV, JSON Lines or Parquet file, or the Hub id of a dataset.",
            f"  path: {_yaml(answers.data)}",
            "  # The column of the labels; found by its type and name where none is set.",
            _line("  ", "label_column", answers.label, "defect"),
            "  # What images share that must stay on one side of the split: a part, a patient.",
            _line("  ", "group_column", answers.group, "part_id"),
            "",
            "# The backbone: Hub ids or folders; of several, linear probes find the best.",
            *_section("model", "candidates", model, ["facebook/convnextv2-tiny-22k-224"]),
            "",
            "# Search for the best model and settings within this time: 90s, 20m, 1h30m.",
            *_section("search", "time_budget", answers.time_budget, "20m"),
            "",
            "# Losses and scores of each epoch also go to trackio, wandb or mlflow.",
            *_section("training", "report_to", None, ["trackio"]),
            "",
        ]
    )
    parse_recipe(parse_yaml(text))
    return text


def _yaml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)  # JSON is YAML


def _line(indent: str, name: str, value: object, example: object) -> str:
    if value is None:
        return f"{indent}# {name}: {_yaml(example)}"
    return f"{indent}{name}: {_yaml(value)}"


def _section(section: str, name: str, value: object, example: object) -> list[str]:
    """A section of one setting; it is commented out as a whole where the setting is left open."""
    if value is None:
        return [f"# {section}:", f"#   {name}: {_yaml(example)}"]
    return [f"{section}:", _line("  ", name, value, example)]
