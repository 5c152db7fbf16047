"""The small commands."""

from __future__ import annotations

import json

import pytest

from hf_vft.recipe.schema import load_recipe
from tests.runs import vft


def test_recipes_are_listed_and_printed() -> None:
    listed = vft("recipes")
    assert "staged" in listed.stdout
    assert "quickstart" in listed.stdout
    assert set(json.loads(vft("recipes", "--json").stdout)) >= {"staged", "quickstart"}
    printed = vft("recipes", "staged")
    assert "# 1 load" in printed.stdout  # with its comments, ready to edit


def test_a_printed_recipe_is_a_recipe(tmp_path) -> None:
    (tmp_path / "mine.yaml").write_text(vft("recipes", "staged").stdout)
    assert load_recipe(tmp_path / "mine.yaml") == load_recipe("staged")


def test_doctor_says_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    done = vft("doctor", "--json")
    assert done.returncode == 0, done.stderr
    checks = {check["name"]: check for check in json.loads(done.stdout)}
    assert checks["operators"]["state"] == "ok"
    assert checks["hub"]["state"] == "note"
    assert {"torch", "transformers", "device", "cache"} <= set(checks)
    assert "ok    torch" in vft("doctor").stdout
